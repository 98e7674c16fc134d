// The page of a listening survey: background questions, then the sounds of one plan in order.
// Where the answers go is the matter of the store: survey_disk.js or survey_server.js. The page does not know what a sound is.
(() => {
  const survey = JSON.parse(document.getElementById("data").textContent)
  const $ = id => document.getElementById(id)
  const store = window.surveyStore(survey, trouble)
  const audio = new Audio()
  let playing = "", heard = false, heardAt = 0, busy = false
  let items = [], answered = 0  // the sounds of this listener, and how many of them have their answers

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
    playing = name
    audio.src = `./sounds/${name}.wav`
    audio.play().then(() => trouble(""), error => { if (error.name !== "AbortError") trouble(store.silent) })
  }

  function trouble(text) {
    document.querySelector(".trouble").textContent = text
  }

  function show(id) {
    for (const name of ["start", "rate", "end"]) $(name).hidden = name !== id
    document.querySelector(".about").hidden = id !== "start"  // on a phone the sound and its questions are in view
  }

  function begin() {
    const number = new URLSearchParams(location.search).get("listener")
    if (number && /^\d{1,6}$/.test(number)) $("number").value = number
    $("background").append(...survey.background.map(question => fieldset(question, () => {})))
    const first = Object.keys(survey.kinds).find(name => survey.kinds[name] === "check")
    $("try").addEventListener("click", () => play(first))
    $("start").addEventListener("submit", event => {
      event.preventDefault()
      audio.pause()
      go(() => store.begin(session(), Number($("number").value), chosen($("start"), survey.background)))
    })
    show("start")
  }

  // Waits for the store, then shows the sound that comes next. Nothing can be sent twice meanwhile.
  async function go(request) {
    if (busy) return
    busy = true
    $("begin").disabled = $("next").disabled = true
    try {
      const where = await request()
      if (where) {
        items = where.items
        answered = where.answered
      }
      busy = false
      $("begin").disabled = false
      if (where) item()
      else begin()
    } catch (error) {
      busy = false
      $("begin").disabled = false
      if (!$("rate").hidden) update()
      trouble(error.message)
    }
  }

  function item() {
    if (answered >= items.length) return finish()
    heard = false
    playing = ""
    const questions = survey.questions[survey.kinds[items[answered]]]
    const bar = document.querySelector(".meterbar")
    bar.setAttribute("aria-valuemax", items.length)
    bar.setAttribute("aria-valuenow", answered)
    bar.firstElementChild.style.width = `${100 * answered / items.length}%`
    $("state").textContent = `Sound ${answered + 1} of ${items.length}: listen to it once to the end, then answer.`
    $("questions").replaceChildren(...questions.map(question => fieldset(question, update)))
    update()
    show("rate")
    $("play").focus()
  }

  function current() {
    return items[answered]
  }

  function update() {
    const questions = survey.questions[survey.kinds[current()]]
    for (const set of $("questions").children) set.disabled = !heard
    $("next").disabled = busy || !heard || Object.keys(chosen($("rate"), questions)).length < questions.length
  }

  audio.addEventListener("error", () => { if (playing) trouble(store.silent) })  // also in the middle of a sound
  audio.addEventListener("ended", () => {
    if ($("rate").hidden || heard || playing !== current()) return
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
    const row = {item: current(), values: chosen($("rate"), questions), seconds}
    audio.pause()
    go(() => store.add(answered, row))
  })
  document.addEventListener("keydown", event => {
    if (event.key === "p" && !$("rate").hidden && !event.ctrlKey && !event.metaKey && !event.altKey) play(current())
  })

  function finish() {
    show("end")
    store.finish()
  }

  go(store.resume)
})()
