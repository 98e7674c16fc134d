// Where the answers of a served page are kept: on the server, one by one. This browser keeps the session and what is not stored yet.
window.surveyStore = (survey, say) => {
  const listener = new URLSearchParams(location.search).get("listener")
  const key = `survey-${survey.id}-served-${/^\d{1,6}$/.test(listener || "") ? listener : ""}`
  let state = load()

  function load() {
    try {
      const kept = JSON.parse(localStorage.getItem(key))
      if (kept && /^[0-9a-f]{24}$/.test(kept.session)) return kept
    } catch (e) { /* nothing kept, or storage is off */ }
    return null
  }

  function keep() {
    try {
      if (state) localStorage.setItem(key, JSON.stringify(state))
      else localStorage.removeItem(key)
    } catch (e) { /* storage is off: a page that is loaded again begins anew */ }
  }

  const sleep = seconds => new Promise(done => setTimeout(done, 1000 * seconds))

  // The reply to a request. It is sent again until the server takes it or says that it never will: twice is once, see `survey serve`.
  async function ask(path, body) {
    for (let turn = 0; ; turn++) {
      let reply = null, values = {}
      try {
        const options = {cache: "no-store", headers: {"Content-Type": "application/json"}}
        reply = await fetch(`./api/survey/${path}`, body ? {...options, method: "POST", body: JSON.stringify(body)} : options)
        values = await reply.json()
      } catch (e) { /* no connection, or no answer of this server */ }
      if (reply && reply.ok && Array.isArray(values.items)) {
        say("")
        return values
      }
      const status = reply ? reply.status : 0
      if (status === 401 || status === 403) throw new Error("The server does not know this browser any more: open the link that you were given once more.")
      if (status >= 400 && status < 500 && status !== 408 && status !== 429) throw Object.assign(new Error(values.error || "The server refused this."), {status})
      const wait = Math.min(values.wait || Math.min(2 ** turn, 10), 30)
      if (!values.wait || turn) say("There is no connection to the server, or it cannot store answers now. This page tries again; leave it open.")
      await sleep(wait)
    }
  }

  // The status of the session; a server that does not know it (it was started again before the first answer) begins it once more.
  async function known(request) {
    try {
      return await request()
    } catch (error) {
      if (error.status !== 404) throw error
      await register()
      return request()
    }
  }

  async function register() {
    const {session, background, plan, number} = state
    const values = await ask("begin", {session, background, listener: Number.isInteger(plan) ? plan + 1 : number})
    state.plan = values.plan
    keep()
    return values
  }

  const send = ({index, item, values, seconds}) => ask("answer", {session: state.session, index, item, values, seconds})

  async function add(index, row) {
    state.pending = {index, ...row}
    keep()
    const values = await known(() => send(state.pending)).catch(async error => {
      if (error.status !== 409) throw error
      return ask(`sessions/${state.session}`)
    })
    state.pending = null
    keep()
    return values
  }

  return {
    silent: "The sound could not be played. Does the server still run? Press play once more.",
    // The listener's plan and number of answers, or null before the start.
    resume: async () => {
      if (!state) return null
      const values = await known(() => ask(`sessions/${state.session}`))
      const pending = state.pending
      if (pending && pending.index === values.answered && pending.item === values.items[pending.index]) return add(pending.index, pending)
      return values
    },
    begin: (session, number, background) => {
      state = {session, number: number || null, background, plan: null, pending: null}
      keep()
      return register()
    },
    add,
    // On a computer that several people use, the next one begins with an empty page.
    finish: () => {
      document.getElementById("another").onclick = () => {
        state = null
        keep()
        location.assign("./")
      }
      document.querySelector("#end h2").focus()
    },
  }
}
