// The copy button of a quote gives it with what it needs to run in an empty file. The
// theme's own handler, which runs after this one, prefers data-clipboard-text.
for (const event of ["pointerover", "focusin", "click"])
  document.addEventListener(event, complete, true)

function complete({ target }) {
  const button = target.closest?.(".quote[data-parts] button[data-clipboard-target]")
  if (!button || button.dataset.clipboardText) return
  const store = document.getElementById("copies")
  const parts = JSON.parse(store.textContent)
  const chosen = button.closest(".quote").dataset.parts.split(" ")
  button.dataset.clipboardText = `${chosen.map(n => parts[n]).join("").trim()}\n`
  button.title = store.title
}
