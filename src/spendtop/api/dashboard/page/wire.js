// What the page asks the collector. Addresses are relative, as a proxy may have put a path before ours.
class Refusal extends Error {
  constructor(status, message, fields) {
    super(message);
    this.status = status;
    this.fields = fields ?? {};
  }
}

const PATIENCE_MS = 30_000;

async function ask(address, method = "GET", body = undefined) {
  const response = await fetch(address, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (response.ok) return response.status === 204 ? null : response.json();
  if (response.status === 401) location.reload(); // the sign-in has ended: what the address shows now is the form
  const { error } = await response.json().catch(() => ({ error: { message: `The answer was ${response.status}.` } }));
  throw new Refusal(response.status, error.message, error.fields);
}

// The sentence for a person; what is no refusal is a connection that failed.
function sentence(failure) {
  if (!(failure instanceof Refusal)) return "spendtop does not answer. Look whether it runs.";
  const fields = Object.entries(failure.fields).map(([name, problem]) => `${name} ${problem}`);
  return fields.length ? `${fields.join(", ")}.` : failure.message;
}
