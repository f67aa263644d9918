// Figures and names as people read them, by the rules of the terminal screens. Unknown is a word or "-", never 0.
const UNKNOWN = "-";
const THIN = "\u202f";
const LINE_LIMIT = 256;
const MOST_COMBINING_MARKS = 4;
const NANO = 1_000_000_000n;
const EMOJI = "[\\u2190-\\u21ff\\u2600-\\u27bf\\u2b00-\\u2bff\\u{1f000}-\\u{1faff}]";
const STRAY_JOINER = new RegExp(`\\u200d(?:(?!${EMOJI})|(?<!${EMOJI}\\u200d)(?<!${EMOJI}\\ufe0f\\u200d))`, "gu");
const UNSAFE = /[\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\u115f\u1160\u3164\uffa0]/gu;
const MARKS = new RegExp(`(\\p{M}{${MOST_COMBINING_MARKS}})\\p{M}+`, "gu");

const hex = (character, digits) => character.codePointAt(0).toString(16).toUpperCase().padStart(digits, "0");

// Text from outside with its lines, and nothing in it that reorders or hides text.
function cleanText(text) {
  return text
    .replace(/\r\n?/g, "\n")
    .replaceAll("\t", "    ")
    .replace(/[\x00-\x09\x0b-\x1f]/g, (control) => String.fromCharCode(0x2400 + control.charCodeAt(0)))
    .replaceAll("\x7f", "␡")
    .replace(/[\x80-\x9f]/g, (control) => `<${hex(control, 2)}>`)
    .replace(UNSAFE, (format) => (format === "\u200d" ? format : `<U+${hex(format, 4)}>`))
    .replace(STRAY_JOINER, "<U+200D>")
    .replace(MARKS, "$1");
}

// The same as one line of at most 256 characters.
function cleanLine(text) {
  const characters = Array.from(cleanText(Array.from(text).slice(0, LINE_LIMIT + 1).join("")).replaceAll("\n", "⏎"));
  return characters.length <= LINE_LIMIT ? characters.join("") : characters.slice(0, LINE_LIMIT - 1).join("") + "…";
}

const named = (name) => (name === null || name === "" ? UNKNOWN : cleanLine(name));

const grouped = (number) => (number === null ? UNKNOWN : String(number).replace(/\B(?=(\d{3})+$)/g, THIN));

// Rounded half to even, as the screens round: of what binary fractions can hold only quarters lie in the middle.
function fixed(value, places) {
  const halves = value * (places ? 4 : 2);
  if (Math.abs(halves % 2) !== 1) return value.toFixed(places);
  const scale = 10 ** places;
  const below = Math.floor(value * scale);
  return ((below + (below % 2)) / scale).toFixed(places);
}

// A count in at most five characters: 410, 2.1k, 118k, 1.2M.
function count(number) {
  if (number === null) return UNKNOWN;
  if (number < 1000) return String(number);
  for (const [size, letter] of [[1e3, "k"], [1e6, "M"], [1e9, "G"]]) {
    const value = number / size;
    if (value < 99.95) return fixed(value, 1) + letter;
    if (value < 999.5) return fixed(value, 0) + letter;
  }
  return `${fixed(number / 1e12, 1)}T`;
}

const plural = (number, word) => `${grouped(number)} ${word}${number === 1 ? "" : "s"}`;

// Nano-USD as dollars: cents from one dollar on, at least two significant digits below, rounded half to even.
function usd(nanoUsd) {
  const nano = BigInt(nanoUsd);
  const sign = nano < 0n ? "-" : "";
  const amount = nano < 0n ? -nano : nano;
  const places = amount >= NANO || amount === 0n ? 2 : amount >= 100_000_000n ? 3 : amount >= 100_000n ? 4 : 6;
  const unit = 10n ** BigInt(9 - places);
  const twice = (amount % unit) * 2n;
  let units = amount / unit;
  if (twice > unit || (twice === unit && units % 2n === 1n)) units += 1n;
  if (amount > 0n && units === 0n) return `${sign}<$0.000001`;
  const scale = 10n ** BigInt(places);
  const whole = String(units / scale).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${sign}$${whole}.${String(units % scale).padStart(places, "0")}`;
}

// Whole cents, never more than there is.
function balanceWords(nanoUsd) {
  const nano = BigInt(nanoUsd);
  const unit = NANO / 100n;
  const cents = nano >= 0n ? nano / unit : -((-nano + unit - 1n) / unit);
  const amount = cents < 0n ? -cents : cents;
  const whole = String(amount / 100n).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${cents < 0n ? "-" : ""}$${whole}.${String(amount % 100n).padStart(2, "0")}`;
}

// No cents on round dollars.
const shortUsd = (nanoUsd) => usd(nanoUsd).replace(/\.00$/, "");

// A share in percent, towards zero, so that 100% means reached.
function percent(part, whole) {
  const [above, below] = [BigInt(part), BigInt(whole)];
  if (below === 0n) return UNKNOWN;
  const tenths = ((above < 0n ? -above : above) * 1000n) / (below < 0n ? -below : below);
  const sign = above !== 0n && above < 0n !== below < 0n ? "-" : "";
  if (tenths >= 10n || above === 0n) return `${sign}${tenths / 10n}%`;
  return tenths ? `${sign}0.${tenths}%` : `${sign}<0.1%`;
}

function latency(milliseconds) {
  if (milliseconds === null) return UNKNOWN;
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${fixed(seconds, 1)}s`;
  if (seconds < 99.5) return `${fixed(seconds, 0)}s`;
  const whole = Number(fixed(seconds, 0));
  const minutes = Math.floor(whole / 60);
  return minutes < 100 ? `${minutes}m${String(whole % 60).padStart(2, "0")}` : `${Math.floor(minutes / 60)}h`;
}

// How long ago, coarse on purpose.
function age(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 5) return "now";
  if (seconds < 60) return `${Math.floor(seconds / 10) * 10 || 5}s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h ago`;
  return `${Math.floor(seconds / 86400)}d ago`;
}

// Instants in the zone of the collector's days, so that they read as on the screens.
const times = {
  zone: "UTC",
  ahead: 0, // milliseconds that the collector's clock is ahead of the browser's
  format: new Map(),
  now() { return Date.now() + this.ahead; },
  ago(at) { return age(this.now() - Date.parse(at)); },
  inZone(zone) {
    try {
      new Intl.DateTimeFormat("sv-SE", { timeZone: zone });
    } catch {
      zone = "UTC"; // a browser may not know a new zone
    }
    if (zone !== this.zone) this.format.clear();
    this.zone = zone;
  },
  written(at, options) {
    const key = JSON.stringify(options);
    if (!this.format.has(key)) {
      this.format.set(key, new Intl.DateTimeFormat("sv-SE", { timeZone: this.zone, hourCycle: "h23", ...options }));
    }
    return this.format.get(key).format(new Date(at));
  },
  clock(at) { return this.written(at, { hour: "2-digit", minute: "2-digit", second: "2-digit" }); },
  minute(at) { return this.written(at, { hour: "2-digit", minute: "2-digit" }); },
  date(at) { return this.written(at, { year: "numeric", month: "2-digit", day: "2-digit" }); },
  dayClock(at) { return `${this.date(at).slice(5)} ${this.clock(at)}`; },
  moment(at) { return this.date(at) === this.date(this.now()) ? this.clock(at) : this.dayClock(at); },
};
