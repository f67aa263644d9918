// Live requests: what is stored already, then what the collector tells of.
const PAGE = 25;
const MOST_SHOWN = 500;
const feed = { rows: new Map(), most: PAGE, paused: false, missed: 0, news: 0 };

function statusWord(row) {
  const [sign, word] = { ok: ["", "ok"], error: ["!", "err"], cancelled: ["~", "can"] }[row.status];
  return sign + (row.http_status ?? word);
}

const STATUS_COLOURS = { ok: "good", error: "bad", cancelled: "warn" };

// A lower bound, where only a part of the output is known.
const bounded = (row, words) => (row.output_final ? words : `>=${words}`);

// The cost, or why there is none. One in parentheses is in no total.
function requestCost(row) {
  const amount = row.cost_nanousd;
  if (row.cached && !amount) return make("span", { class: "muted" }, "cached");
  if (row.basis === "plan") {
    const equivalent = row.api_equivalent_nanousd;
    return make("span", { class: "muted", title: "in no total: under a plan, what it would have cost" },
      equivalent === null ? "plan" : `~${bounded(row, usd(equivalent))}`);
  }
  if (amount === null) return make("span", { class: "unknown" }, "unpriced");
  const signs = (row.partial ? "+" : "") + (row.doubtful ? "?" : "");
  const reasons = [
    row.partial ? "a part of it is unpriced" : "",
    row.doubtful ? "doubtful" : "",
    row.counted ? "" : "in no total, as another source counts it",
  ].filter(Boolean).join(", ");
  return make("span", { class: row.counted ? "money" : "muted", ...(reasons && { title: reasons }) },
    (row.counted ? bounded(row, usd(amount)) : `(${bounded(row, usd(amount))})`) + signs,
    ...(reasons ? [make("span", { class: "unseen" }, ` ${reasons}`)] : []));
}

function requestRow(row) {
  const cell = (classes, ...content) => make("td", { class: classes }, ...content);
  const open = make("button", { type: "button", "aria-haspopup": "dialog" }, times.moment(row.occurred_at),
    make("span", { class: "unseen" }, ", details"));
  const line = make("tr", { "data-id": row.id },
    cell("at", open),
    cell("whom name who", named(row.user_id)),
    cell("what name model", named(row.model)),
    cell("extra name muted", named(row.token_name ?? row.token)),
    cell("extra name muted", named(row.session_id)),
    cell("use right", count(row.total_tokens), make("span", { class: "unit" }, " tok")),
    cell("cost right", requestCost(row)),
    cell(`end right ${STATUS_COLOURS[row.status]}`, statusWord(row),
      ...(row.status === "ok" ? [] : [make("span", { class: "unseen" }, ` ${row.status}`)])),
    cell("took right muted", latency(row.latency_ms)));
  line.querySelectorAll(".name").forEach((each) => { each.title = each.textContent; });
  return line;
}

// Puts a request where its time belongs; a newer report of one that is shown takes its place, and its focus.
function showRequest(row, isNews) {
  const body = $("feed");
  const line = requestRow(row);
  const old = feed.rows.get(row.id);
  const focused = old?.line.contains(document.activeElement);
  old?.line.remove();
  feed.rows.set(row.id, { at: row.occurred_at, line });
  const later = [...body.children].find((each) => feed.rows.get(each.dataset.id).at <= row.occurred_at);
  body.insertBefore(line, later ?? null);
  if (isNews && !old) {
    line.classList.add("fresh");
    feed.news += 1;
  }
  if (focused) line.querySelector("button").focus();
  while (body.children.length > feed.most) {
    const last = body.lastElementChild;
    feed.rows.delete(last.dataset.id);
    last.remove();
  }
  $("feed-empty").hidden = true;
}

async function loadFeed() {
  const { data, next_cursor: older } = await ask(`requests?limit=${feed.most}`);
  const known = new Set(data.map((row) => row.id));
  for (const [id, { line }] of feed.rows) {
    if (!known.has(id)) {
      line.remove();
      feed.rows.delete(id);
    }
  }
  data.toReversed().forEach((row) => showRequest(row, false));
  $("feed-empty").hidden = data.length > 0;
  $("older").hidden = older === null || feed.most >= MOST_SHOWN;
  noteFeed();
}

function showOlder() {
  feed.most = Math.min(feed.most + PAGE, MOST_SHOWN);
  return loadFeed();
}

function noteFeed() {
  $("feed-note").textContent = feed.paused
    ? `paused; ${plural(feed.missed, "report")} since`
    : "the newest, as they come";
}

function hear(row) {
  if (feed.paused) feed.missed += 1;
  else showRequest(row, true);
  noteFeed();
}

function togglePause() {
  feed.paused = !feed.paused;
  $("pause").setAttribute("aria-pressed", String(feed.paused));
  feed.missed = 0;
  noteFeed();
  return feed.paused;
}

// Arrow keys go from one request to the next.
function moveInFeed(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const line = event.target.closest("tr");
  if (!step || !line) return;
  const next = step > 0 ? line.nextElementSibling : line.previousElementSibling;
  next?.querySelector("button").focus();
  event.preventDefault();
}
