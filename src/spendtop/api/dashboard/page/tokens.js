// Tracking tokens: made, listed, switched, deleted, and the code that uses them.
async function loadTokens() {
  const { data } = await ask("ingest/tokens");
  const focused = $("tokens").contains(document.activeElement) ? document.activeElement.dataset.act : undefined;
  $("tokens").replaceChildren(...data.toReversed().map(tokenRow));
  $("tokens-empty").hidden = data.length > 0;
  if (focused) [...$("tokens").querySelectorAll("button")].find((each) => each.dataset.act === focused)?.focus();
}

function tokenRow(token) {
  const act = (word, does, classes = "", name = word) => make("button",
    { type: "button", class: classes, "data-act": `${name} ${token.id}`, onclick: () => attempt(does) },
    word, make("span", { class: "unseen" }, ` token ${named(token.name)}`));
  const state = token.active ? make("span", { class: "good" }, "on") : make("span", { class: "warn" }, "! off");
  return make("tr", {},
    make("th", { scope: "row", class: "name", title: named(token.name) }, named(token.name)),
    make("td", { class: "muted" }, named(token.token)),
    make("td", {}, state, token.shadow ? make("span", { class: "muted" }, " counted elsewhere") : ""),
    make("td", { class: "right" }, plural(token.requests, "request")),
    make("td", { class: "muted" }, token.last_used_at ? times.ago(token.last_used_at) : "never used"),
    make("td", { class: "acts" },
      act("Snippet", async () => showSnippets(token, await ask(`ingest/tokens/${token.id}/snippets`))),
      act(token.active ? "Switch off" : "Switch on", () => switchToken(token), "", "Switch"),
      act("Delete", () => confirmDelete(token), "danger")));
}

async function switchToken(token) {
  await ask(`ingest/tokens/${token.id}/active`, "PATCH", { active: !token.active });
  await loadTokens();
  say(`Token ${named(token.name)} is switched ${token.active ? "off" : "on"}.`);
}

function confirmDelete(token) {
  const remove = async () => {
    await ask(`ingest/tokens/${token.id}`, "DELETE");
    $("dialog").close();
    await loadTokens();
    $("token-name").focus(); // the button that had the focus is gone
    say(`Token ${named(token.name)} is deleted.`);
  };
  openDialog(`Delete ${named(token.name)}?`, [
    make("p", {}, "What was pushed under it stays. What still sends it is refused from now on."),
    make("div", { class: "buttons" },
      make("button", { type: "button", onclick: () => $("dialog").close() }, "Keep it"),
      make("button", { type: "button", class: "danger", onclick: () => attempt(remove) }, "Delete token")),
  ], { small: true });
}

function showSnippets(token, snippets) {
  const part = (title, code) => {
    const text = make("pre", { class: "code", tabindex: "0" }, code);
    const copy = make("button", { type: "button", onclick: () => copyText(text, copy) }, "Copy");
    return make("section", {}, make("div", { class: "tools" }, make("h3", {}, title), make("span", { class: "end" }, copy)), text);
  };
  openDialog(`Code for ${named(token.name)}`, [
    make("p", { class: "muted" }, "It takes the ingest key from the environment variable SPENDTOP_INGEST_KEY."),
    part("Python", snippets.python), part("curl", snippets.curl), part("LiteLLM", snippets.litellm),
    part("OpenTelemetry", snippets.opentelemetry),
  ]);
}

// Without https browsers give no clipboard: then the text is selected, ready for the copy key.
async function copyText(text, button) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  } else {
    getSelection().selectAllChildren(text);
    button.textContent = "Selected";
  }
}

async function makeToken(event) {
  event.preventDefault();
  const form = event.target;
  const values = new FormData(form);
  const wanted = { name: values.get("name"), shadow: values.has("shadow") };
  if (values.get("token")) wanted.token = values.get("token");
  const message = $("make-message");
  message.textContent = "";
  try {
    const made = await ask("ingest/tokens", "POST", wanted);
    form.reset();
    showSnippets(made, made.snippets);
    await loadTokens();
  } catch (failure) {
    message.textContent = sentence(failure);
  }
}
