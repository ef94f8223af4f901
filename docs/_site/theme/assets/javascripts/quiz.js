// Turns each question from a list of unfolding answers into a group of radio buttons,
// shuffled, whose choice is explained at once.
document$.subscribe(() => {
  for (const [n, quiz] of document.querySelectorAll(".quiz:not(.quiz--live)").entries())
    enliven(quiz, `quiz-${n}`)
})

function enliven(quiz, name) {
  const group = document.createElement("fieldset")
  const question = document.createElement("legend")
  question.append(...quiz.querySelector(".quiz-question").childNodes)
  const verdict = document.createElement("div")
  verdict.className = "quiz-verdict"
  verdict.setAttribute("aria-live", "polite")

  const answers = [...quiz.querySelectorAll(".quiz-answer")].map((answer, n) => {
    const label = document.createElement("label")
    const button = document.createElement("input")
    button.type = "radio"
    button.name = name
    const text = document.createElement("span")
    text.append(...answer.querySelector("summary").childNodes)
    answer.querySelector("summary").remove()
    const reason = [...answer.childNodes]
    button.addEventListener("change", () => {
      for (const other of group.querySelectorAll("label")) delete other.dataset.answer
      label.dataset.answer = answer.dataset.answer
      verdict.dataset.answer = answer.dataset.answer
      verdict.replaceChildren(...reason)
    })
    label.append(button, text)
    return label
  })

  group.append(question, ...shuffled(answers), verdict)
  quiz.replaceChildren(group)
  quiz.classList.add("quiz--live")
}

function shuffled(items) {
  const left = [...items]
  return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0])
}
