"use strict";
/* Sorting, filtering and permalinks. Every page says all it knows without this file. */
(() => {
  const root = document.documentElement;
  const kept = { get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
                 set: (v) => { try { localStorage.setItem("theme", v); } catch { /* private mode */ } } };
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  if (["light", "dark"].includes(kept.get())) root.dataset.theme = kept.get();
  const make = (name, about = {}, ...inside) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(about)) made.setAttribute(key, value);
    made.append(...inside);
    return made;
  };

  addEventListener("DOMContentLoaded", () => {
    const toggle = make("button", { id: "theme", type: "button" });
    const show = () => { toggle.textContent = dark() ? "Light" : "Dark"; toggle.setAttribute("aria-label", dark() ? "Use light colours" : "Use dark colours"); };
    toggle.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; kept.set(root.dataset.theme); show(); });
    show();
    document.querySelector("body > header .frame").append(toggle);
    document.querySelectorAll("table[data-tools]").forEach(tools);
    items();
  });

  /* The state of a table lives after the #, so that an address names a view: #sort=score.desc&q=dora&level=RESCORED */
  function tools(table) {
    const body = table.tBodies[0], rows = [...body.rows].filter((row) => !row.classList.contains("beside"));
    const rest = [...body.rows].filter((row) => row.classList.contains("beside"));
    const heads = [...table.tHead.rows[0].cells].filter((cell) => cell.dataset.key);
    const state = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    const go = (change, push) => {
      const next = state();
      for (const [key, value] of Object.entries(change)) value ? next.set(key, value) : next.delete(key);
      const text = next.toString(), url = text ? "#" + text : location.pathname.split("/").pop() || "./";
      if (text === state().toString()) return;
      try { history[push ? "pushState" : "replaceState"](null, "", url); } catch { location.hash = text; }
      apply();
    };
    const search = make("input", { type: "search", id: "q", autocomplete: "off", spellcheck: "false", size: "18" });
    search.addEventListener("input", () => go({ q: search.value }, false));
    const bar = make("div", { class: "tools" }, make("label", { for: "q" }, "Filter"), search);
    const selects = {};
    for (const key of (table.dataset.select || "").split(" ").filter(Boolean)) {
      const values = [...new Set(rows.map((row) => row.dataset[key]))].sort();
      if (values.length < 2) continue;
      selects[key] = make("select", { id: "f-" + key }, make("option", { value: "" }, "all"), ...values.map((v) => make("option", { value: v }, v)));
      selects[key].addEventListener("change", () => go({ [key]: selects[key].value }, true));
      bar.append(make("label", { for: "f-" + key }, key), selects[key]);
    }
    const said = make("output", { "aria-live": "polite" }), view = make("span", { class: "paper" });
    const clear = make("button", { type: "button" }, "Clear");
    clear.addEventListener("click", () => { go(Object.fromEntries([...state().keys()].map((key) => [key, ""])), true); search.focus(); });
    bar.append(said, view, clear);
    (table.closest(".scroll") || table).before(bar);
    heads.forEach((head) => {
      const label = head.querySelector(".label"), button = make("button", { type: "button" }, label.textContent);
      label.replaceWith(button);
      button.addEventListener("click", () => {
        const down = head.dataset.first === "desc", [key, way] = (state().get("sort") || "").split(".");
        const first = down ? "desc" : "asc", second = down ? "asc" : "desc";
        go({ sort: key !== head.dataset.key ? head.dataset.key + "." + first : way === first ? key + "." + second : "" }, true);
      });
    });
    const value = (row, at) => row.cells[at].dataset.v ?? row.cells[at].textContent.trim();
    const order = (a, b) => a === b ? 0 : a === "" ? 1 : b === "" ? -1 : isNaN(a) || isNaN(b) ? (a < b ? -1 : 1) : a - b;
    function apply() {
      const now = state(), [key, way] = (now.get("sort") || "").split(".");
      const head = heads.find((one) => one.dataset.key === key);
      heads.forEach((one) => one.setAttribute("aria-sort", one === head ? (way === "desc" ? "descending" : "ascending") : "none"));
      const at = head ? head.cellIndex : -1, sorted = [...rows];
      if (head) sorted.sort((a, b) => { const x = value(a, at), y = value(b, at); return order(x, y) * (way === "desc" && x !== "" && y !== "" ? -1 : 1); });
      const words = (now.get("q") || "").toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      sorted.forEach((row) => {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word)) || Object.keys(selects).some((k) => now.get(k) && row.dataset[k] !== now.get(k));
        shown += row.hidden ? 0 : 1;
      });
      body.append(...sorted, ...rest);
      if (document.activeElement !== search) search.value = now.get("q") || "";
      for (const k in selects) selects[k].value = now.get(k) || "";
      const [one, many] = table.dataset.noun.split(" ");
      said.textContent = shown === rows.length ? rows.length + " " + (rows.length === 1 ? one : many) : shown + " of " + rows.length + " " + many;
      /* On paper nobody sees the fields: what was left out and sorted by is said in words. */
      view.textContent = [...now].map(([k, v]) => k === "q" ? "with “" + v + "”" : k === "sort" ? (head ? "sorted by " + head.textContent.trim() : "") : k + " " + v).filter(Boolean).join(", ");
      clear.hidden = ![...now.keys()].length;
    }
    addEventListener("popstate", apply);
    addEventListener("hashchange", apply);
    apply();
  }

  /* Samples: an address that names an item opens it; j and k go on and back, e opens all. */
  function items() {
    const list = [...document.querySelectorAll(".item")];
    if (!list.length) return;
    const open = () => { const one = document.getElementById(location.hash.slice(1)); if (one && one.matches(".item")) { one.open = true; one.scrollIntoView({ block: "center" }); } };
    addEventListener("hashchange", open);
    open();
    const all = make("button", { type: "button" }, "Open all");
    all.addEventListener("click", () => { const want = list.some((one) => !one.open); list.forEach((one) => { one.open = want; }); all.textContent = want ? "Close all" : "Open all"; });
    const bar = make("div", { class: "tools" }, all, make("span", { class: "soft" }, "Keys: j next, k previous, Enter opens"));
    document.querySelector(".items").before(bar);
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !["j", "k"].includes(event.key) || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
      const at = list.indexOf(document.activeElement.closest ? document.activeElement.closest(".item") : null);
      const next = list[Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), list.length - 1)];
      next.querySelector("summary").focus();
    });
  }
})();
