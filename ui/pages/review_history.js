// What stands around a card: the item's history, folded away, and the plans that wait for a person.
// It runs in one scope with review.js. Texts come in through textContent here too.

const history = $(".history"), events = $(".events");

function foldHistory() {
  history.open = false;
  events.replaceChildren();
}

history.addEventListener("toggle", async () => {
  const current = cards[0];
  if (!history.open || !current) return;
  const found = await ask("history", { item: current.id });
  if (cards[0] !== current || !history.open) return; // another card shows by now
  events.replaceChildren(...(found.events || [{ text: found.error }]).map((each) => {
    const line = document.createElement("li");
    line.textContent = each.text;
    line.classList.toggle("is-undone", Boolean(each.undone));
    return line;
  }));
});

function drawPlans(count) {
  $(".plans").hidden = !count;
  $(".plans-text").textContent = count === 1 ? "1 plan waits for a person." : count + " plans wait for a person.";
}

// A tab that does not fit stands in Gradio's menu instead, where it has no id.
function openApprovals() {
  const menu = [...document.querySelectorAll("#tabs .overflow-dropdown button")];
  const tab = document.querySelector("#tabs [data-tab-id=approvals]") || menu.find((each) => each.textContent.trim() === "Approvals");
  if (tab) tab.click();
}
