// What is shown before the login: how to log in.

import { html, nothing } from './vendor/lit-html/lit-html.js';

export function loginView({ problem, enter }) {
  return html`<main class="login" id="content">
    <h1>routerd</h1>
    ${problem ? html`<p class="failed" role="alert">${problem}</p>` : nothing}
    <section><h2>On the router's own host</h2>
      <p>This command opens the page, logged in with your own rights:</p>
      <pre><code>routerd web</code></pre></section>
    <section><h2>From here, with a token</h2>
      <p>On the router's host, <code>routerd token add NAME</code> makes one.</p>
      <form @submit=${(e) => {
        e.preventDefault();
        const field = e.target.elements.token;
        const token = field.value.trim();
        field.value = '';
        if (token) enter({ token });
      }}>
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="off" spellcheck="false" required placeholder="rtd_…">
        <button type="submit">Log in</button>
      </form>
      <p class="hint">The page sends it once and keeps it nowhere. The browser gets a cookie that ends with the token.</p></section>
  </main>`;
}
