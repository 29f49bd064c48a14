// Undo buttons of the list of changes; the list comes back from the server, escaped there.
element.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-undo]");
  if (!button) return;
  button.disabled = true;
  try {
    props.value = await server.undo(Number(button.dataset.undo));
  } catch (error) {
    button.disabled = false;
    button.textContent = "Try again";
  }
});
