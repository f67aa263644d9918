// One request with all that is known of it.
const FIELDS = [
  ["id", (row) => row.id],
  ["time", (row) => `${times.date(row.occurred_at)} ${times.clock(row.occurred_at)} ${times.zone}${row.time_suspect ? ", suspect" : ""}`],
  ["user", (row) => named(row.user_id)],
  ["model", (row) => named(row.model)],
  ["served model", (row) => row.served_model && named(row.served_model)],
  ["provider", (row) => named(row.provider)],
  ["status", statusWord],
  ["cost", (row) => requestCost(row)],
  ["cost is", (row) => [row.basis, row.reported_by && `by the ${row.reported_by}`, row.price_version].filter(Boolean).map(cleanLine).join(", ")],
  ["reported cost", (row) => row.reported_cost_usd !== null && usd(Math.round(row.reported_cost_usd * 1e9))],
  ["computed cost", (row) => row.computed_cost_usd !== null && usd(Math.round(row.computed_cost_usd * 1e9))],
  ["unpriced", (row) => row.unpriced_units && pairs(row.unpriced_units)],
  ["contradiction", (row) => row.contradiction && cleanLine(row.contradiction)],
  ["tokens in", (row) => grouped(row.prompt_tokens)],
  ["tokens out", (row) => grouped(row.completion_tokens)],
  ["from cache", (row) => row.cached_tokens && grouped(row.cached_tokens)],
  ["to cache", (row) => row.cache_write_tokens && grouped(row.cache_write_tokens)],
  ["reasoning", (row) => row.reasoning_tokens && grouped(row.reasoning_tokens)],
  ["quantities", (row) => pairs(row.quantities)],
  ["service level", (row) => row.service_level && `${row.service_level}${row.level_assumed ? ", priced as standard" : ""}`],
  ["latency", (row) => latency(row.latency_ms)],
  ["first token", (row) => row.ttft_ms !== null && latency(row.ttft_ms)],
  ["session", (row) => row.session_id && named(row.session_id)],
  ["session path", (row) => row.session_path && named(row.session_path)],
  ["token", (row) => row.token && named(row.token_name ?? row.token)],
  ["properties", (row) => pairs(row.properties)],
  ["reported from", (row) => row.sources.map(cleanLine).join(", ")],
  ["verified", (row) => row.verified && "confirmed by the gateway's API"],
  ["counted", (row) => (row.counted ? null : row.basis === "plan" ? "no: a plan is no spend" : "no: another source counts it")],
  ["probable twin of", (row) => row.probable_twin_of],
];
const WHY_NO_BODY = {
  not_sent: "The source sent no prompt and no response.",
  purged: "Prompt and response were deleted, as they are kept for a time only.",
};

const pairs = (values) => Object.entries(values).map(([name, value]) => cleanLine(`${name} ${value}`)).join(", ");

function conversation(row, isShown) {
  if (!isShown) {
    return [make("p", { class: "muted" }, "Prompts and responses are not shown here. dashboard_bodies = true under [server] shows them.")];
  }
  if (!row.prompt && !row.response) {
    return [make("p", { class: "muted" }, WHY_NO_BODY[row.body_state] ?? `No prompt and no response: ${cleanLine(row.body_state)}.`)];
  }
  const part = (title, text) => make("section", {}, make("h3", {}, title),
    text ? make("pre", { tabindex: "0" }, cleanText(text)) : make("p", { class: "muted" }, "none"));
  return [part("prompt", row.prompt), part("response", row.response)];
}

async function openRequest(id, isShown) {
  const row = await ask(`requests/${encodeURIComponent(id)}?bodies=${isShown}`);
  const fields = FIELDS.map(([name, value]) => [name, value(row)]).filter(([, value]) => value);
  openDialog(`Request of ${times.moment(row.occurred_at)}`, [
    make("dl", { class: "fields" }, ...fields.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    ...conversation(row, isShown),
  ]);
}
