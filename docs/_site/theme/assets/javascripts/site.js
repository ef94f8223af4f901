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
