"""The JSON Schema of `spendtop.toml`, by which editors complete and check the file as it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticUndefined, core_schema

from spendtop.config.settings import settings_class
from spendtop.config.shape import fields_by_key, meanings
from spendtop.config.types import Section, as_written
from spendtop.domain.money import Usd


def json_schema(sections: Mapping[str, type[Section]]) -> dict[str, Any]:
    """The schema of a whole file, draft 2020-12. It is the same on every machine."""
    schema = settings_class(sections).model_json_schema(schema_generator=_Generator)
    described = {"$schema": _Generator.schema_dialect, "title": "spendtop.toml"}
    return {**described, **{key: value for key, value in schema.items() if key not in described}}


class _Generator(GenerateJsonSchema):
    """Values as a file writes them: durations with their unit, and no null, which TOML does not have."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        shape = super().model_schema(schema)
        _describe(shape)
        kind: type[Section] = schema["cls"]
        for key, info in fields_by_key(kind).items():
            place = shape["properties"][key]
            place.pop("title", None)
            place["description"] = meanings(kind)[key]
            _describe(place)
            if (default := _default(info)) is not None:
                place["default"] = default
        return shape

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def _describe(shape: JsonSchemaValue) -> None:
    """The text without the breaks of its lines."""
    if "description" in shape:
        shape["description"] = " ".join(shape["description"].split())


def _default(info: FieldInfo) -> Any:
    """What holds where the key is absent; None where that is nothing, or depends on the machine."""
    if info.default is PydanticUndefined or isinstance(info.default, Section):
        return None
    value = as_written(info.default, info.metadata)
    match value:
        case SecretStr():
            return value.get_secret_value()
        case Usd():
            return float(value.dollars)
        case tuple():
            return list(value)
    return value
