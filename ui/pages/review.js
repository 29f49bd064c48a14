// The review page. Every text comes in through textContent: nothing of an item is ever markup.
// A decision is shown at once and saved behind it, one after the other, so that undo keeps its order.

const AHEAD = 2; // with no more cards than this in hand, others are fetched
const $ = (selector) => element.querySelector(selector);
const card = $(".card"), end = $(".end"), help = $(".help"), pick = $(".pick"), filter = $(".filter input");

let databit = null, labels = [], cards = [], left = 0, total = 0, skippedToo = false, waiting = false;
let pending = 0; // decisions shown, but not yet saved
let gone = new Set(); // items decided here; a fetch that was under way may bring them again
let saving = Promise.resolve();

const memory = () => "databits-undo-" + databit;
const done = () => JSON.parse(sessionStorage.getItem(memory()) || "[]");
const remember = (list) => sessionStorage.setItem(memory(), JSON.stringify(list.slice(-200)));
const say = (text) => { $(".said").textContent = text; };

async function ask(name, data) {
  try {
    return await server[name](data);
  } catch (error) {
    return { error: "The server did not answer. Look whether it still runs; nothing was lost." };
  }
}

async function open(name) {
  const found = await ask("open_queue", { databit: name });
  if (found.error) return finish("The queue could not be opened", found.error);
  if (!found.databits.length) {
    $(".review-head").hidden = true;
    return finish("Nothing to review yet", "The chat takes it from here: " + found.next);
  }
  $(".review-head").hidden = false;
  databit = found.databit;
  labels = found.labels;
  cards = [];
  gone = new Set();
  skippedToo = false;
  pick.replaceChildren(...found.databits.map((each) => new Option(each, each, false, each === databit)));
  $('[data-verb="reject"]').hidden = !found.can_reject;
  drawLabels();
  take(found);
  show();
}

function take(found) {
  const known = new Set(cards.map((each) => each.id));
  cards.push(...found.cards.filter((each) => !known.has(each.id) && !gone.has(each.id)));
  left = Math.max(0, found.left - pending);
  total = found.total;
  end.dataset.next = found.next || "";
  end.dataset.skipped = found.skipped;
  drawPlans(found.plans);
}

async function more() {
  const found = await ask("next_cards", { databit });
  if (found.error) return notice(found.error);
  take(found);
  drawMeter();
}

// acts ------------------------------------------------------------------------------------------

function decide(verb, label) {
  const current = cards[0];
  if (!current || waiting || (verb === "reject" && $('[data-verb="reject"]').hidden)) return;
  if (verb === "approve" && !current.suggestion) {
    return notice("This item has no suggestion to approve. Choose a label below.");
  }
  if (verb === "skip" && skippedToo) { // it is skipped already
    cards.shift();
    return show();
  }
  cards.shift();
  gone.add(current.id);
  left = Math.max(0, left - 1);
  show();
  const where = databit;
  pending += 1;
  saving = saving.then(() => save(where, current, verb, label || current.suggestion || ""));
}

async function save(where, current, verb, label) {
  const found = await ask("decide", { databit: where, item: current.id, verb, label });
  pending -= 1;
  if (found.error) { // back into the queue, behind the card that is being looked at
    gone.delete(current.id);
    left += 1;
    cards.splice(cards.length ? 1 : 0, 0, { ...current, problem: found.error });
    if (cards.length > 1) notice("Item " + current.id + " was not saved and comes next. " + found.error);
  } else {
    remember([...done(), { change: found.change, item: current.id }]);
    drawUndo();
  }
  const empty = card.hidden;
  if (cards.length <= AHEAD && !skippedToo) await more();
  if (empty) show();
}

async function undo() {
  if (waiting) return;
  waiting = true;
  await saving;
  const list = done();
  const last = list.pop();
  if (!last) {
    waiting = false;
    return say("There is nothing to undo.");
  }
  const found = await ask("take_back", { change: last.change, item: last.item });
  remember(list); // a change that can not be undone must not block the ones before it
  waiting = false;
  if (found.error) {
    show();
    return card.hidden ? say(found.error) : notice(found.error);
  }
  gone.delete(found.card.id);
  cards = [found.card, ...cards.filter((each) => each.id !== found.card.id)];
  left += 1;
  show();
  say("Undone. Item " + found.card.id + " is open again.");
}

async function again() {
  const found = await ask("next_cards", { databit, skipped: true });
  if (found.error) return say(found.error);
  skippedToo = true;
  gone = new Set();
  take(found);
  show();
}

// drawing ---------------------------------------------------------------------------------------

function show() {
  const current = cards[0];
  if (!current) return pending ? wait() : finish();
  end.hidden = true;
  card.hidden = false;
  card.dataset.item = current.id;
  $(".item-text").textContent = current.text;
  $(".item-text").scrollTop = 0;
  $(".origin").textContent = "Item " + current.id + " · " + current.origin;
  $(".suggested").hidden = !current.suggestion;
  $('[data-verb="approve"]').hidden = !current.suggestion;
  $(".or").textContent = current.suggestion ? "Or choose the right label" : "Choose the label";
  $(".suggested-label").textContent = current.suggestion || "";
  const sure = current.confidence === null ? "" : Math.round(current.confidence * 100) + " % sure";
  $(".sure").hidden = !sure;
  $(".sure-text").textContent = sure;
  $(".sure-fill").style.width = (current.confidence || 0) * 100 + "%";
  $(".why").textContent = [current.why, current.rationale].filter(Boolean).join(" ");
  notice(current.problem || "");
  filter.value = "";
  foldHistory();
  drawChoice();
  drawMeter();
  drawUndo();
  say("Item " + current.id + ". " + (current.suggestion ? "Suggested " + current.suggestion + ", " + sure + ". " : "") + current.text.slice(0, 300));
  takeFocus();
}

// Enter means approve, so it must not press the tab or the button that was clicked last.
function takeFocus() {
  const at = document.activeElement;
  if (at === document.body || element.contains(at) || at.closest("[role=tab]")) card.focus({ preventScroll: true });
}

function wait() {
  card.hidden = true;
  say("Fetching more items.");
}

function finish(title, text) {
  const skipped = Number(end.dataset.skipped || 0);
  card.hidden = true;
  end.hidden = false;
  $(".end-title").textContent = title || "All done";
  $(".end-text").textContent = text || "Every item that is free for you is decided. Next: " + (end.dataset.next || "ask the chat what to do.");
  $('.end [data-verb="again"]').hidden = !skipped || skippedToo || Boolean(title);
  drawMeter();
  drawUndo();
  say($(".end-title").textContent + ". " + $(".end-text").textContent);
}

function notice(text) {
  $(".notice").hidden = !text;
  $(".notice").textContent = text;
}

function drawMeter() {
  const decided = total - left;
  $(".meter").setAttribute("aria-valuemax", total);
  $(".meter").setAttribute("aria-valuenow", decided);
  $(".meter-fill").style.width = (total ? (100 * decided) / total : 0) + "%";
  $(".meter-text").textContent = decided.toLocaleString("en") + " decided, " + left.toLocaleString("en") + " left";
}

function drawUndo() {
  for (const button of element.querySelectorAll('[data-verb="undo"]')) button.disabled = !done().length;
}

function drawLabels() {
  $(".filter").hidden = labels.length < 10;
  $(".labels").replaceChildren(...labels.map((label, n) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "label";
    button.dataset.label = label.name;
    const key = document.createElement("kbd");
    key.textContent = n < 9 ? n + 1 : "";
    const name = document.createElement("span");
    name.className = "label-name";
    name.textContent = label.name;
    const guideline = document.createElement("span");
    guideline.className = "guideline";
    guideline.textContent = label.guideline;
    button.append(key, name, guideline);
    return button;
  }));
}

const offered = () => [...element.querySelectorAll(".label:not([hidden])")];

function drawChoice(chosen) {
  const words = filter.value.trim().toLowerCase();
  for (const button of element.querySelectorAll(".label")) {
    button.hidden = !button.textContent.toLowerCase().includes(words);
    button.classList.toggle("is-suggested", Boolean(cards[0]) && button.dataset.label === cards[0].suggestion);
    button.classList.remove("is-chosen");
  }
  const first = offered()[chosen || 0];
  if (words && first) first.classList.add("is-chosen");
}

// input -----------------------------------------------------------------------------------------

function act(verb) {
  if (verb === "undo") undo();
  else if (verb === "plans") openApprovals();
  else if (verb === "help") {
    help.hidden = !help.hidden;
    $('[data-verb="help"]').setAttribute("aria-expanded", String(!help.hidden));
  } else if (verb === "reload") open(databit);
  else if (verb === "again") again();
  else decide(verb);
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || button.disabled) return;
  if (button.dataset.verb) act(button.dataset.verb);
  else if (button.dataset.label) decide("correct", button.dataset.label);
});
pick.addEventListener("change", () => { saving = saving.then(() => open(pick.value)); pick.blur(); });

filter.addEventListener("input", () => drawChoice());
filter.addEventListener("keydown", (event) => {
  const list = offered(), at = list.findIndex((each) => each.classList.contains("is-chosen"));
  if (event.key === "Enter" && list[at]) decide("correct", list[at].dataset.label);
  else if (event.key === "ArrowDown") drawChoice(Math.min(at + 1, list.length - 1));
  else if (event.key === "ArrowUp") drawChoice(Math.max(at - 1, 0));
  else if (event.key === "Escape") { filter.value = ""; drawChoice(); card.focus(); }
  else return;
  event.preventDefault();
});

const KEYS = { a: "approve", s: "skip", r: "reject", u: "undo", "?": "help" };

function onKey(event) {
  if (!element.isConnected) return document.removeEventListener("keydown", onKey); // the tab was drawn anew
  if (element.offsetParent === null) return; // another tab shows
  // A key held down must not approve what nobody has read.
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return;
  const at = event.target;
  if (at.closest("input, textarea, select, [contenteditable]")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "Enter" && at.closest("button, a, [role=tab]")) return; // it presses what has the focus
  if (KEYS[key] && !(card.hidden && "asr".includes(key))) act(KEYS[key]);
  else if (key === "Enter" && !card.hidden) decide("approve");
  else if (key >= "1" && key <= "9" && labels[key - 1] && !card.hidden) decide("correct", labels[key - 1].name);
  else if (key === "/" && labels.length > 9 && !card.hidden) filter.focus();
  else return;
  event.preventDefault();
}
document.addEventListener("keydown", onKey);

// The queue is opened when the page is looked at, not before: opening claims items.
let looked = false;
new IntersectionObserver((entries) => {
  const visible = entries.some((entry) => entry.isIntersecting);
  if (visible && !looked) open(databit || undefined);
  else if (visible && end.hidden === false) open(databit || undefined); // something may have come since
  looked = looked || visible;
}).observe(element);
