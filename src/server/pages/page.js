// What the pages have in common.

export const element = (id) => document.getElementById(id);

/** Asks the REST API; gives its JSON, or throws its words, with the code of the refusal. */
export async function ask(method, path, body) {
    const options = { method, headers: {} };
    if (body !== undefined) {
        options.headers["content-type"] = "application/json";
        options.body = JSON.stringify(body);
    }
    const response = await fetch(path, options);
    const text = await response.text();
    const answer = text ? JSON.parse(text) : null;
    if (!response.ok) {
        throw Object.assign(new Error(answer?.message ?? `The server answered ${response.status}.`), { code: answer?.code, status: response.status });
    }
    return answer;
}

/** Has a form do something, and says how it went. */
export function submit(form, action) {
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        // Before the buttons are disabled: what is disabled says nothing.
        const fields = Object.fromEntries(new FormData(form, event.submitter));
        const buttons = form.querySelectorAll("button");
        for (const button of buttons) button.disabled = true;
        say("");
        try {
            await action(fields);
        } catch (error) {
            say(error.message);
        } finally {
            for (const button of buttons) button.disabled = false;
        }
    });
}

export function say(words) {
    element("said").textContent = words;
}

/** Shows one of the page's parts. */
export function show(part) {
    for (const one of document.querySelectorAll("[data-part]")) one.hidden = one.dataset.part !== part;
}
