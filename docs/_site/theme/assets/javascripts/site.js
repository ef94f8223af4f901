document$.subscribe(() => {
  followPage()
  // Material wraps tables in the same turn; look at them in the next.
  requestAnimationFrame(reachTables)
})

// Instant navigation replaces the head but not the header: let the language menu follow.
function followPage() {
  for (const item of document.querySelectorAll(".md-select__link")) {
    const version = document.querySelector(`link[hreflang="${item.hreflang}"]`)
    if (version && location.protocol !== "file:")
      item.href = new URL(version.href).pathname
  }
}

// A table wider than the page scrolls; the keyboard must reach it to do so.
function reachTables() {
  for (const table of document.querySelectorAll(".md-typeset__scrollwrap"))
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0
}

// Paper cannot be unfolded; afterwards everything is as it was.
const unfolded = new Set()
addEventListener("beforeprint", () => {
  for (const block of document.querySelectorAll(".md-content details:not([open])")) {
    block.open = true
    unfolded.add(block)
  }
})
addEventListener("afterprint", () => {
  for (const block of unfolded) block.open = false
  unfolded.clear()
})

// Escape closes the definition of a term.
addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && document.activeElement.matches(".term")) document.activeElement.blur()
})
