// What pages can do more of where scripts run. Nothing here is needed: every page works without it.
"use strict";

// Buttons that copy what stands beside them. Browsers have a clipboard for pages that came encrypted, or from this machine; for others
// they copy what is selected.
for (const command of document.querySelectorAll(".command")) {
  const button = command.querySelector("button");
  if (!button) continue;
  button.hidden = false;
  const label = button.textContent;
  const code = command.querySelector("code");
  const copy = async () => {
    if (navigator.clipboard) return navigator.clipboard.writeText(code.textContent);
    getSelection().selectAllChildren(code);
    if (!document.execCommand("copy")) throw new Error("nothing was copied");
  };
  button.addEventListener("click", async () => {
    try {
      await copy();
      button.textContent = "Copied";
    } catch {
      // It is selected at least.
      getSelection().selectAllChildren(code);
      button.textContent = "Not copied";
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

// Numbers of lines open a form below the line, without another page.
{
  const blank = document.getElementById("say");
  const close = (row) => {
    const link = row.previousElementSibling?.querySelector("td.line a");
    row.remove();
    link?.focus();
  };
  document.addEventListener("click", (event) => {
    const link = blank && event.target.closest(".diff td.line a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const at = new URL(link.href).searchParams.get("at")?.match(/^(old|new):(\d+):([^]+)$/);
    if (!at) return;
    event.preventDefault();
    document.querySelectorAll("tr.talk.new").forEach((row) => row.remove());
    const row = document.createElement("tr");
    row.className = "talk new";
    const cell = row.appendChild(document.createElement("td"));
    cell.colSpan = 4;
    cell.append(blank.content.cloneNode(true));
    const form = cell.querySelector("form");
    for (const [name, value] of [["side", at[1]], ["line", at[2]], ["path", at[3]]]) form.elements[name].value = value;
    form.querySelector(".where").textContent = `${at[3]}:${at[2]}`;
    form.setAttribute("aria-label", `Say something about ${at[3]}`);
    form.querySelector(".cancel").addEventListener("click", (event) => { event.preventDefault(); close(row); });
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") close(row); });
    link.closest("tr").after(row);
    form.querySelector("textarea").focus();
  });
}

// `/` goes to the search box, as on the sites that people know.
document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || field) return;
  const finder = document.querySelector(".finder input");
  if (finder) { event.preventDefault(); finder.focus(); finder.select(); }
});

// Suggestions while typing (the combobox of WAI-ARIA).
for (const finder of document.querySelectorAll("form.finder")) {
  const input = finder.querySelector("input");
  const list = finder.querySelector(".suggestions");
  if (!input || !list) continue;
  let timer, chosen = -1, asked = "", waiting;
  const close = () => {
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (index) => {
    const items = [...list.children];
    if (!items.length) return;
    chosen = (index + items.length) % items.length;
    items.forEach((item, place) => item.setAttribute("aria-selected", String(place === chosen)));
    input.setAttribute("aria-activedescendant", items[chosen].id);
    items[chosen].scrollIntoView({ block: "nearest" });
  };
  const go = (item) => { location.href = item.dataset.href; };
  const show = (suggestions) => {
    list.replaceChildren(...suggestions.map((suggestion, place) => {
      const item = document.createElement("li");
      item.id = `${list.id}-${place}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      item.dataset.href = suggestion.href;
      const name = document.createElement("strong");
      name.textContent = suggestion.id;
      const what = document.createElement("div");
      what.className = "small dim clip";
      what.textContent = suggestion.description;
      item.append(name, what);
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); go(item); });
      return item;
    }));
    chosen = -1;
    list.hidden = !suggestions.length;
    input.setAttribute("aria-expanded", String(suggestions.length > 0));
  };
  const ask = async () => {
    const words = input.value.trim();
    asked = words;
    if (words.length < 2) return close();
    waiting?.abort();
    waiting = new AbortController();
    try {
      const answer = await fetch(`/search/suggest?q=${encodeURIComponent(words)}`, { signal: waiting.signal });
      if (answer.ok && asked === words && document.activeElement === input) show(await answer.json());
    } catch { /* The next key asks again. */ }
  };
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 120); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (list.hidden) return;
    if (event.key === "ArrowDown") { event.preventDefault(); choose(chosen + 1); }
    if (event.key === "ArrowUp") { event.preventDefault(); choose(chosen - 1); }
    if (event.key === "Enter" && chosen >= 0) { event.preventDefault(); go(list.children[chosen]); }
  });
}
