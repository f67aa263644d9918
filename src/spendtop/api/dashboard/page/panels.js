// Figures, limits, users, models and balances.
const MOST_LIMITS = 8;
const MOST_ROWS = 8;

function showState(state) {
  times.inZone(state.zone);
  times.ahead = Date.parse(state.at) - Date.now();
  $("today").replaceChildren(...costParts(state.today));
  document.title = `${costWords(state.today)} today · spendtop`;
  $("last-hour").replaceChildren(...costParts(state.last_hour));
  $("leave").hidden = !state.signed_in;
  $("version").textContent = `spendtop ${state.version}`;
  $("zone").textContent = `times in ${times.zone}`;
  $("conditions").replaceChildren(...state.conditions.map((condition) =>
    make("li", { class: condition.status },
      cleanText(condition.sentence), " ", make("span", { class: "muted" }, `since ${times.moment(condition.since)}`))));
  $("balances").replaceChildren(...(state.balances.length
    ? state.balances.map(balance)
    : [make("p", { class: "empty" }, "No prepaid account is configured.")]));
}

function balance(account) {
  const known = account.balance_nanousd !== null;
  const low = known && account.low_balance_usd !== null && account.balance_usd < account.low_balance_usd;
  const amount = known
    ? make("span", { class: low ? "money bad" : "money" }, `${account.estimated ? "≈ " : ""}${balanceWords(account.balance_nanousd)}`)
    : make("span", { class: "unknown" }, "not known");
  const notes = [
    low ? `! below ${shortUsd(Math.round(account.low_balance_usd * 1e9))}` : "",
    account.estimated ? "estimated from what was seen here" : "",
    account.state === "stale" ? "stale" : "",
    account.state === "uncalibrated" ? "never calibrated" : "",
    account.as_of ? `read ${times.ago(account.as_of)}` : "",
    account.run_out_at ? `lasts until about ${times.date(account.run_out_at)}` : "",
    account.caution ?? "",
    account.failure ?? "",
  ].filter(Boolean);
  return make("div", {},
    make("div", { class: "line" },
      make("span", { class: "name" }, named(account.account),
        ...(account.provider === account.account ? [] : [make("span", { class: "muted" }, ` ${named(account.provider)}`)])),
      amount),
    make("p", { class: low || account.state !== "ok" ? "warn" : "muted" }, cleanLine(notes.join(" · "))));
}

function showSummary(summary) {
  $("spent").replaceChildren(...costParts(summary));
  $("requests").textContent = grouped(summary.requests);
  $("average").textContent = summary.average_cost_usd === null ? UNKNOWN : usd(Math.round(summary.average_cost_usd * 1e9));
  $("tokens-in").textContent = count(summary.tokens.prompt);
  $("tokens-out").textContent = count(summary.tokens.completion);
  $("failed").textContent = grouped(summary.failed);
  const { requests, usd: equivalent } = summary.api_equivalent;
  $("plans").hidden = !requests;
  $("plan").textContent = equivalent === null ? `${grouped(requests)} calls` : `~${usd(Math.round(equivalent * 1e9))}`;
  const users = summary.top_users.map((row) => ({ ...row, key: row.user_id }));
  $("users").replaceChildren(...shares(users, summary, "who"));
  $("models").replaceChildren(...shares(summary.by, summary, "model"));
}

// The largest rows, and what is beside them in one, so that all of them are the whole.
function shares(rows, whole, kind) {
  if (!whole.requests) return [make("tr", {}, make("td", { class: "empty" }, "Nothing in this time."))];
  const shown = rows.slice(0, MOST_ROWS);
  const rest = { key: null, cost_nanousd: 0, requests: whole.requests, unpriced: whole.unpriced };
  const sum = (name) => shown.reduce((total, row) => total + (row[name] ?? 0), 0);
  rest.requests -= sum("requests");
  rest.unpriced -= sum("unpriced");
  rest.cost_nanousd = (whole.cost_nanousd ?? 0) - sum("cost_nanousd");
  if (rest.requests === rest.unpriced && rest.cost_nanousd === 0) rest.cost_nanousd = null;
  const lines = shown.map((row) => share(row, whole, named(row.key), kind));
  return rest.requests ? [...lines, share(rest, whole, "all others", "muted")] : lines;
}

function share(row, whole, name, kind) {
  const known = row.cost_nanousd !== null && whole.cost_nanousd;
  const missing = row.unpriced ? [make("span", { class: "unknown" }, `+ ${grouped(row.unpriced)} unpriced`)] : [];
  return make("tr", {},
    make("th", { scope: "row", class: `name ${kind}`, title: name },
      make("div", { class: "labelled" }, make("span", {}, name), ...missing)),
    make("td", { class: "right" }, row.cost_nanousd === null ? UNKNOWN : make("span", { class: "money" }, usd(row.cost_nanousd))),
    make("td", { class: "gauges" }, gauge(known ? row.cost_nanousd / whole.cost_nanousd : 0)),
    make("td", { class: "right muted" }, known ? percent(row.cost_nanousd, whole.cost_nanousd) : UNKNOWN));
}

const STATE_MARKS = { ok: "", approaching: "! ", exceeded: "!! " };
const STATE_COLOURS = { ok: "good", approaching: "warn", exceeded: "bad" };

function showLimits({ data }) {
  const shown = data.slice(0, MOST_LIMITS);
  $("limits").replaceChildren(...(data.length ? shown.map(limit) : [
    make("tr", {}, make("td", { class: "empty" }, "No limit is configured. A [[limit]] in spendtop.toml makes one.")),
  ]));
  $("limits-more").hidden = data.length <= MOST_LIMITS;
  $("limits-more").textContent = `+${grouped(data.length - MOST_LIMITS)} more, all less full`;
}

function limit(use) {
  const colour = STATE_COLOURS[use.state];
  const name = cleanLine(use.entity ? `${use.entity_name} ${use.name}` : use.name);
  const missing = use.unpriced ? [" ", make("span", { class: "unknown" }, `+ ${grouped(use.unpriced)} unpriced`)] : [];
  const ends = use.ends_at ? `, until ${times.moment(use.ends_at)}` : "";
  return make("tr", { title: `${name}, window ${use.window}, ${use.state}${ends}` },
    make("th", { scope: "row", class: `name ${use.state === "ok" ? "" : colour}` },
      STATE_MARKS[use.state], name, " ", make("span", { class: "muted" }, use.window)),
    make("td", { class: "right muted amounts" }, `${shortUsd(use.used_nanousd)} of ${shortUsd(use.limit_nanousd)}`, ...missing),
    make("td", { class: "gauges" }, gauge(use.fraction, use.state)),
    make("td", { class: `right share ${colour}` }, usedPercent(use),
      ...(use.state === "ok" ? [] : [make("span", { class: "unseen" }, ` ${use.state}`)])));
}

// Where 100% would not say that a single request is above its limit.
function usedPercent({ used_nanousd: used, limit_nanousd: amount, window: name }) {
  const words = percent(used, amount);
  return name === "request" && used > amount && words === "100%" ? ">100%" : words;
}
