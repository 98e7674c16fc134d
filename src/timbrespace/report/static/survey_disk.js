// Where the answers of a page from disk are kept: in this browser, until the listener saves them as a file.
window.surveyStore = survey => {
  const key = "survey-" + survey.id
  let state = load()

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

  const where = () => ({items: survey.plans[state.plan], answered: state.answers.length})

  function save() {
    const link = document.createElement("a")
    link.href = URL.createObjectURL(new Blob([JSON.stringify(state)], {type: "application/json"}))
    link.download = `answers-${state.session}.json`
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  }

  return {
    silent: "The sound could not be played. Is the folder 'sounds' beside this page?",
    // The listener's plan and number of answers, or null before the start.
    resume: async () => state && where(),
    begin: async (session, listener, background) => {
      const plan = listener ? (listener - 1) % survey.plans.length : Math.floor(Math.random() * survey.plans.length)
      state = {survey: survey.id, session, plan, background, answers: []}
      keep()
      return where()
    },
    add: async (index, row) => {
      state.answers.push(row)
      keep()
      return where()
    },
    finish: () => {
      document.getElementById("save").onclick = save
      document.getElementById("save").focus()
    },
  }
}
