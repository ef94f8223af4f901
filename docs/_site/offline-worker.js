// A page opened as a file may start no worker: run the worker's script in a hidden frame.
// Material's search script looks for the name IFrameWorker to find its languages.
if (location.protocol === "file:")
  window.Worker = window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      frame.title = "search"
      document.documentElement.append(frame)
      this.inside = frame.contentWindow
      this.inside.postMessage = data =>
        this.dispatchEvent(new MessageEvent("message", { data }))
      this.inside.importScripts = (...urls) =>
        urls.reduce((before, next) => before.then(() => this.load(next)), Promise.resolve())
      this.ready = this.load(url)
    }

    load(url) {
      return new Promise((done, failed) => {
        const script = this.inside.document.createElement("script")
        script.src = new URL(url, document.baseURI)
        script.onload = done
        script.onerror = failed
        this.inside.document.head.append(script)
      })
    }

    postMessage(data) {
      const { MessageEvent } = this.inside
      this.ready.then(() =>
        this.inside.dispatchEvent(new MessageEvent("message", { data })))
    }
  }
