// The page of a listening survey: background questions, then the sounds of one plan in order, then a file of answers.
// Everything stays in this browser until the listener saves it. The page does not know what a sound is.
(() => {
  const survey = JSON.parse(document.getElementById("data").textContent)
  const $ = id => document.getElementById(id)
  const key = "survey-" + survey.id
  const audio = new Audio()
  let heard = false, heardAt = 0, state = load()

  function load() {
    try {
      const kept = JSON.parse(localStorage.getItem(key))
      if (kept && Array.isArray(kept.answers) && survey.plans[kept.plan] && kept.survey === survey.id) return kept
    } catch (e) { /* nothing kept, or storage is off */ }
    return null
  }

  function keep() {
    try { localStorage.setItem(key, JSON.stringify(state)) } catch (e) { /* storage is off: the answers last as long as the page */ }
  }

  function session() {
    const bytes = crypto.getRandomValues(new Uint8Array(12))
    return Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("")
  }

  // A question as a fieldset of radio buttons. Values of a scale are numbers, others texts.
  function fieldset(question, changed) {
    const set = document.createElement("fieldset")
    set.className = "ask"
    set.dataset.name = question.name
    const legend = document.createElement("legend")
    legend.textContent = question.text
    const row = document.createElement("div")
    row.className = "choices"
    const values = question.kind === "scale" ? [1, 2, 3, 4, 5] : question.options
    for (const value of values) {
      const label = document.createElement("label"), input = document.createElement("input"), text = document.createElement("bdi")
      input.type = "radio"
      input.name = question.name
      input.value = value
      text.textContent = value
      input.addEventListener("change", changed)
      label.append(input, text)
      row.append(label)
    }
    set.append(legend, row)
    if (question.kind === "scale") {
      const ends = document.createElement("div")
      ends.className = "ends"
      ends.append(...question.ends.map((end, place) => Object.assign(document.createElement("span"), {textContent: `${place ? 5 : 1} ${end}`})))
      set.append(ends)
    }
    return set
  }

  function chosen(form, questions) {
    const values = {}
    for (const question of questions) {
      const input = form.querySelector(`fieldset[data-name="${question.name}"] input:checked`)
      if (input) values[question.name] = question.kind === "scale" ? Number(input.value) : input.value
    }
    return values
  }

  function play(name) {
    audio.src = `./sounds/${name}.wav`
    audio.play().then(() => trouble(""), () => trouble("The sound could not be played. Is the folder 'sounds' beside this page?"))
  }

  function trouble(text) {
    document.querySelector(".trouble").textContent = text
  }

  function show(id) {
    for (const name of ["start", "rate", "end"]) $(name).hidden = name !== id
  }

  function begin() {
    const number = new URLSearchParams(location.search).get("listener")
    if (number && /^\d{1,6}$/.test(number)) $("number").value = number
    $("background").append(...survey.background.map(question => fieldset(question, () => {})))
    const first = Object.keys(survey.kinds).find(name => survey.kinds[name] === "check")
    $("try").addEventListener("click", () => play(first))
    $("start").addEventListener("submit", event => {
      event.preventDefault()
      const typed = Number($("number").value)
      const plan = typed >= 1 ? (typed - 1) % survey.plans.length : Math.floor(Math.random() * survey.plans.length)
      state = {survey: survey.id, session: session(), plan, background: chosen($("start"), survey.background), answers: []}
      audio.pause()
      keep()
      item()
    })
    show("start")
  }

  function item() {
    const plan = survey.plans[state.plan], index = state.answers.length
    if (index >= plan.length) return finish()
    heard = false
    const name = plan[index], questions = survey.questions[survey.kinds[name]]
    const bar = document.querySelector(".meterbar")
    bar.setAttribute("aria-valuemax", plan.length)
    bar.setAttribute("aria-valuenow", index)
    bar.firstElementChild.style.width = `${100 * index / plan.length}%`
    $("state").textContent = `Sound ${index + 1} of ${plan.length}: listen to it once to the end, then answer.`
    $("questions").replaceChildren(...questions.map(question => fieldset(question, update)))
    update()
    show("rate")
    $("play").focus()
  }

  function current() {
    return survey.plans[state.plan][state.answers.length]
  }

  function update() {
    const questions = survey.questions[survey.kinds[current()]]
    for (const set of $("questions").children) set.disabled = !heard
    $("next").disabled = !heard || Object.keys(chosen($("rate"), questions)).length < questions.length
  }

  audio.addEventListener("ended", () => {
    if ($("rate").hidden || heard) return
    heard = true
    heardAt = performance.now()
    $("state").textContent = "Now answer. You may listen again."
    update()
  })

  $("play").addEventListener("click", () => play(current()))
  $("rate").addEventListener("submit", event => {
    event.preventDefault()
    if ($("next").disabled) return
    const questions = survey.questions[survey.kinds[current()]]
    const seconds = Math.round((performance.now() - heardAt) / 100) / 10
    state.answers.push({item: current(), values: chosen($("rate"), questions), seconds})
    audio.pause()
    keep()
    item()
  })
  document.addEventListener("keydown", event => {
    if (event.key === "p" && !$("rate").hidden && !event.ctrlKey && !event.metaKey && !event.altKey) play(current())
  })

  function finish() {
    show("end")
    $("save").focus()
  }

  $("save").addEventListener("click", () => {
    const link = document.createElement("a")
    link.href = URL.createObjectURL(new Blob([JSON.stringify(state)], {type: "application/json"}))
    link.download = `answers-${state.session}.json`
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  })

  if (state) item()
  else begin()
})()
