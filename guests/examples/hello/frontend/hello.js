// The page asks the plugin's own routes, which stand under /api and the prefix of the page. Who is signed in comes along.
const api = `/api${new URL('.', import.meta.url).pathname}`;

async function ask(path) {
  const response = await fetch(api + path);
  const body = await response.json();
  if (!response.ok) throw new Error(body.message);
  return body;
}

try {
  const [greeting, person] = await Promise.all([ask(''), ask('whoami')]);
  document.querySelector('#greeting').textContent = greeting.message;
  document.querySelector('#role').textContent = person.role;
} catch (error) {
  document.querySelector('#greeting').textContent = error.message;
}
