// The page as a whole: what is read when, and how far it can be believed.
const SPANS = {
  hour: { words: "last hour", query: "hours=1" },
  today: { words: "today", query: "since=today&until=today" },
  week: { words: "last 7 days", query: "hours=168" },
  month: { words: "last 30 days", query: "hours=720" },
};
const LAMPS = {
  LIVE: ["●", "good"],
  DEGRADED: ["▲", "warn"],
  "NOT RECORDING": ["■", "bad"],
  "CONNECTION LOST": ["■", "bad"],
  PAUSED: ["‖", "warn"],
  OPENING: ["○", "muted"],
};
const WORDS = { healthy: "LIVE", degraded: "DEGRADED", down: "NOT RECORDING" };
const SETTLE_MS = 3_000; // between two readings while requests come in
const LONGEST_MS = 30_000; // until figures are read again though nothing came: windows go on
const ANNOUNCE_MS = 20_000;
const RETRY_MS = 5_000;

const page = { span: "today", state: null, readAt: null, isLost: false, reading: null, wanted: 0, events: null };

function say(words) {
  $("said").textContent = words;
}

function showLamp() {
  const healthy = page.state ? WORDS[page.state.status] : "OPENING";
  const word = page.isLost ? "CONNECTION LOST" : feed.paused && healthy === "LIVE" ? "PAUSED" : healthy;
  const [sign, colour] = LAMPS[word];
  const lamp = $("lamp");
  const text = `${sign} ${word}`;
  if (lamp.textContent !== text && page.state) say(word === "CONNECTION LOST" ? "Connection lost. Figures are old." : word);
  lamp.textContent = text;
  lamp.className = `lamp ${colour}`;
  document.body.classList.toggle("old", page.isLost);
  $("as-of").textContent = page.readAt ? `as of ${times.moment(page.readAt)}` : "";
}

async function read() {
  const { query, words } = SPANS[page.span];
  const span = page.span;
  const [state, summary, limits, bars] = await Promise.all([
    ask("dashboard/state"),
    ask(`spending/summary?${query}&by=model_family`),
    ask("limits"),
    ask(`dashboard/chart?${query}`),
  ]);
  if (span !== page.span) return;
  page.state = state;
  page.readAt = state.at;
  showState(state);
  showSummary(summary);
  showLimits(limits);
  showChart(bars);
  document.querySelectorAll(".of-span").forEach((each) => { each.textContent = words; });
}

// Reads until nothing more is wanted, one reading at a time.
function refresh() {
  page.wanted += 1;
  page.reading ??= readAll().finally(() => { page.reading = null; });
  return page.reading;
}

async function readAll() {
  try {
    let done;
    do {
      done = page.wanted;
      await read();
    } while (done !== page.wanted);
    page.isLost = page.events?.readyState !== EventSource.OPEN && page.events !== null;
  } catch (failure) {
    page.isLost = true;
    say(sentence(failure));
  }
  showLamp();
}

// Does something that a person asked for, and says it when that fails.
async function attempt(action) {
  try {
    await action();
  } catch (failure) {
    openDialog("That did not work", [make("p", { role: "alert" }, sentence(failure))], { small: true });
  }
}

let settling = null;

function refreshSoon() {
  if (feed.paused) return;
  settling ??= setTimeout(() => {
    settling = null;
    refresh();
  }, SETTLE_MS);
}

function listen() {
  const events = new EventSource("events");
  page.events = events;
  events.addEventListener("request", (event) => {
    hear(JSON.parse(event.data));
    refreshSoon();
  });
  events.addEventListener("open", () => {
    refresh().then(() => attempt(loadFeed)); // its times want the zone
  });
  events.addEventListener("error", () => {
    page.isLost = true;
    showLamp();
    if (events.readyState !== EventSource.CLOSED) return; // else the browser comes again by itself
    setTimeout(async () => {
      await refresh();
      listen();
    }, RETRY_MS);
  });
}

function announce() {
  if (!feed.news || feed.paused || !page.state) return;
  say(`${plural(feed.news, "new request")}. Today ${costWords(page.state.today)}.`);
  feed.news = 0;
}

function chooseSpan(event) {
  page.span = event.target.value;
  $("csv").href = `export.csv?${SPANS[page.span].query}`;
  refresh();
}

function begin() {
  $("span").addEventListener("change", chooseSpan);
  $("make").addEventListener("submit", makeToken);
  $("pause").addEventListener("click", () => {
    if (!togglePause()) attempt(loadFeed).then(refresh);
    showLamp();
  });
  $("older").addEventListener("click", () => attempt(showOlder));
  $("feed").addEventListener("keydown", moveInFeed);
  $("feed").addEventListener("click", (event) => {
    const line = event.target.closest("tr");
    if (line && getSelection().isCollapsed) attempt(() => openRequest(line.dataset.id, page.state?.shows_bodies ?? false));
  });
  listen();
  attempt(loadTokens);
  setInterval(() => { if (!feed.paused) refresh(); }, LONGEST_MS);
  setInterval(announce, ANNOUNCE_MS);
}

begin();
