// What the pages do in the browser: start runs through Airflow's own REST API, keep a selection, show details.
// The pages stand one level below Airflow's root, so "../" is that root under any sub-path.
"use strict";

const AIRFLOW = "../";
const byId = (id) => document.getElementById(id);

function showProblem(text) {
  const line = byId("problem");
  line.textContent = text;
  line.hidden = false;
  line.scrollIntoView({ block: "nearest" });
}

function explain(status) {
  if (status === 401) return "Your Airflow session has ended. Reload the page and log in.";
  if (status === 403) return "Airflow does not allow you to do that.";
  if (status === 404) return "Airflow does not have that, or you may not see it.";
  return `Airflow could not do that (status ${status}).`;
}

async function call(path, method = "GET", body = undefined, words = () => null) {
  const options = { method, credentials: "same-origin", headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("Airflow cannot be reached.");
  }
  if (!answer.ok) {
    const said = (await answer.json().then(words).catch(() => null)) || explain(answer.status);
    throw Object.assign(new Error(said), { status: answer.status });
  }
  return answer.json();
}

const saidByUs = (answer) => (typeof answer.detail === "string" ? answer.detail : null);

const startRun = (dagId, conf, runId = undefined) =>
  call(`${AIRFLOW}api/v2/dags/${encodeURIComponent(dagId)}/dagRuns`, "POST", { logical_date: null, conf, dag_run_id: runId });

const resultsUrl = (run) => "./?" + new URLSearchParams({ dag_id: run.dag_id, run_id: run.dag_run_id });

/* Starting an import: confirm with the count, start, lead to the results. */

function count(number, what) {
  if (number === 0 && what === "all") return "all customers";
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}

function startOptions() {
  const given = {};
  for (const field of byId("start-options")?.elements ?? []) {
    if (field.type === "checkbox") { if (field.checked) given[field.name] = true; }
    else if (field.value.trim()) given[field.name] = field.value.trim();
  }
  return given;
}

byId("start-options")?.addEventListener("submit", (event) => event.preventDefault());

function confirmStart(request, what, onStarted) {
  const dialog = byId("start");
  const confirm = byId("start-confirm");
  const results = byId("start-results");
  const isPreview = request.conf.mode === "preview";
  const does = isPreview ? "Preview" : "Import";
  byId("start-title").textContent = `${does} ${count(request.count, what)}?`;
  const cut = request.is_cut ? " There are more; one run takes this many by name. Start the DAG without names to import all." : "";
  const writes = isPreview ? "Nothing is written to the BSS." : "Accounts and contacts are written to the BSS.";
  byId("start-text").textContent = `Instance ${request.conf.instance}. ${writes}${cut}`;
  confirm.textContent = does;
  confirm.hidden = confirm.disabled = false;
  results.hidden = true;
  if (byId("start-options")) byId("start-options").hidden = false;
  byId("start-cancel").textContent = "Cancel";
  confirm.onclick = async () => {
    confirm.disabled = true;
    try {
      const run = await startRun(request.dag_id, { ...request.conf, ...startOptions() });
      byId("start-title").textContent = `The ${does.toLowerCase()} has started`;
      byId("start-text").textContent = `${count(request.count, what)} will be ${does.toLowerCase()}ed.`;
      confirm.hidden = true;
      if (byId("start-options")) byId("start-options").hidden = true;
      results.href = resultsUrl(run);
      results.hidden = false;
      byId("start-cancel").textContent = "Close";
      results.focus();
      onStarted();
    } catch (error) {
      byId("start-text").textContent = error.message;
      confirm.disabled = false;
    }
  };
  dialog.showModal();
  byId("start-title").focus();
}

byId("start-cancel").onclick = () => {
  byId("start").close();
  if (!byId("start-results").hidden) location.reload();
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-start]");
  if (!button) return;
  try {
    confirmStart(await call(button.dataset.start, "GET", undefined, saidByUs), button.dataset.what, () => {});
  } catch (error) {
    showProblem(error.message);
  }
});

/* Links out of the frame: its sandbox forbids to navigate the page around it, so that page follows the link itself. */

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-leave]");
  if (!link || window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const outside = window.parent.document.createElement("a");
  outside.href = link.href;
  if (link.dataset.leave === "new") {
    outside.target = "_blank";
    outside.rel = "noopener noreferrer";
  }
  outside.click();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
});

/* One customer's details. */

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "details-body") return;
  const dialog = byId("details");
  if (!dialog.open) dialog.showModal();
  byId("details-title").focus();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});

document.addEventListener("htmx:responseError", (event) => showProblem(explain(event.detail.xhr.status)));

/* Decisions: about one customer, the import, or those that are selected. */

let hasDecided = false;
let isDeciding = false;

function decideTenants(box) {
  if (box.dataset.import) return [];
  return box.dataset.subject ? [box.dataset.subject] : selection.ids();
}

async function sendDecision(path, body) {
  const box = byId("decisions");
  const isSelection = !box.dataset.subject;
  const problem = byId("decide-problem");
  const seen = isSelection ? selection.seen() : Number(box.dataset.seen);
  if (isDeciding) return;
  isDeciding = true;
  problem.hidden = true;
  try {
    const whom = body.links ? {} : { tenant_ids: decideTenants(box) };
    await call(`${path}${box.dataset.place}`, "POST", { ...body, ...whom, seen }, saidByUs);
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
    problem.scrollIntoView({ block: "nearest" });
    return;
  } finally {
    isDeciding = false;
  }
  if (isSelection) {
    selection.clear();
    location.reload();
    return;
  }
  hasDecided = true;
  const which = box.dataset.import ? "about=import" : `tenant_id=${encodeURIComponent(box.dataset.subject)}`;
  await htmx.ajax("GET", `decisions${box.dataset.place}&${which}`, { target: "#decisions", select: "#decisions", swap: "outerHTML" });
  byId("decisions").querySelector("button, summary")?.focus();
}

function sendLinks({ decision, ...given }) {
  const links = selection.links();
  const without = links.filter((one) => !one.account).length;
  if (!without) return sendDecision("decisions/links", { ...given, links });
  const problem = byId("decide-problem");
  problem.textContent = `${without} of the selected ${without === 1 ? "has" : "have"} no account chosen. Choose one in each row, or select fewer.`;
  problem.hidden = false;
}

document.addEventListener("submit", (event) => {
  if (event.target.id !== "decide") return;
  event.preventDefault();
  const given = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value.trim()));
  const kind = given.decision;
  if (kind !== "link") delete given.account;
  if (kind !== "reseller") { delete given.mpn_id; delete given.reseller_name; }
  if (kind === "link" && !byId("decisions").dataset.subject) sendLinks(given);
  else sendDecision("decisions", given);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-revoke]");
  if (!button) return;
  const reason = byId("decide-reason").value.trim();
  sendDecision("decisions/revoke", { decision: button.dataset.revoke || byId("revoke-kind").value, ...(reason && { reason }) });
});

byId("details")?.addEventListener("close", () => {
  if (hasDecided) location.reload();
});

/* The list of tenants. */

let selection = null;

const hierarchy = byId("get-hierarchy");
if (hierarchy) {
  const start = async () => {
    const only = byId("only").value.trim();
    hierarchy.disabled = true;
    try {
      const conf = { instance: hierarchy.dataset.instance, mode: "discover", ...(only && { tenants: [only] }) };
      await startRun(hierarchy.dataset.dag, conf);
      location.reload();
    } catch (error) {
      showProblem(error.message);
      hierarchy.disabled = false;
    }
  };
  hierarchy.onclick = start;
  byId("only").onkeydown = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    start();
  };
}

/* A list that is too old is got anew. The run's id is of this list: a run that there is already was started by somebody. */

const refresh = byId("refresh");
if (refresh) {
  const conf = { instance: refresh.dataset.instance, mode: "discover" };
  startRun(refresh.dataset.dag, conf, refresh.dataset.run)
    .then(() => location.reload())
    .catch((error) => {
      if (error.status === 409) location.reload(); // somebody else's page was faster
      else showProblem(error.message);
    });
}

const checkNow = byId("check-now");
if (checkNow) {
  checkNow.onclick = async () => {
    checkNow.disabled = true;
    try {
      const run = await startRun(checkNow.dataset.dag, { instance: checkNow.dataset.instance, mode: "check" });
      location.href = "drift?" + new URLSearchParams({ dag_id: run.dag_id, run_id: run.dag_run_id });
    } catch (error) {
      showProblem(error.message);
      checkNow.disabled = false;
    }
  };
}

const unpause = byId("unpause");
if (unpause) {
  unpause.onclick = async () => {
    try {
      await call(`${AIRFLOW}api/v2/dags/${encodeURIComponent(unpause.dataset.dag)}`, "PATCH", { is_paused: false });
      location.reload();
    } catch (error) {
      showProblem(error.message);
    }
  };
}

const list = byId("tenants");
if (list && byId("import-selected")) selection = keepSelection(list.dataset.dag, list.dataset.instance);

/* The matching queue: to choose an account selects its row; nothing is chosen by itself. */

const queue = byId("queue");
if (queue && byId("decide-selected")) selection = queueSelection(queue);

function queueSelection(table) {
  const boxes = [...table.querySelectorAll("input.select")];
  const page = byId("select-page");
  const chosen = () => boxes.filter((box) => box.checked);
  const show = () => {
    const count = chosen().length;
    byId("selected").textContent = count ? `${count.toLocaleString("en")} selected` : "None selected";
    byId("decide-selected").disabled = count === 0;
    page.checked = count === boxes.length;
    page.indeterminate = count > 0 && count < boxes.length;
  };
  const account = (box) => box.closest("tr").querySelector("input[type=radio]:checked")?.value;
  table.addEventListener("change", (event) => {
    if (event.target === page) for (const box of boxes) box.checked = page.checked;
    if (event.target.matches("input[type=radio]")) event.target.closest("tr").querySelector("input.select").checked = true;
    show();
  });
  show();
  return {
    ids: () => chosen().map((box) => box.value),
    links: () => chosen().map((box) => ({ tenant_id: box.value, account: Number(account(box)) || null })),
    seen: () => Number(table.dataset.seen),
    clear: () => { for (const box of boxes) box.checked = false; show(); },
  };
}

function keepSelection(dagId, instance) {
  // Kept for the browser tab, so that it outlives paging and filtering.
  const key = `customer-import:${dagId}:${instance}`;
  const selected = new Set(JSON.parse(sessionStorage.getItem(key) || "[]"));
  const boxes = [...document.querySelectorAll("input.select")];
  const page = byId("select-page");
  const most = 5000;

  const show = () => {
    sessionStorage.setItem(key, JSON.stringify([...selected]));
    for (const box of boxes) box.checked = selected.has(box.value);
    const chosen = boxes.filter((box) => box.checked).length;
    page.disabled = boxes.length === 0;
    page.checked = chosen > 0 && chosen === boxes.length;
    page.indeterminate = chosen > 0 && chosen < boxes.length;
    byId("selected").textContent = selected.size ? `${selected.size.toLocaleString("en")} selected` : "None selected";
    byId("import-selected").disabled = selected.size === 0;
    if (byId("decide-selected")) byId("decide-selected").disabled = selected.size === 0;
    // What was known when the selection began: what others decided since is told.
    if (!selected.size) sessionStorage.removeItem(`${key}:seen`);
    else if (!sessionStorage.getItem(`${key}:seen`)) sessionStorage.setItem(`${key}:seen`, list.dataset.seen);
    byId("select-none").hidden = selected.size === 0;
  };
  const set = (ids, isSelected) => {
    for (const id of ids) isSelected ? selected.add(id) : selected.delete(id);
    show();
  };

  for (const box of boxes) box.onchange = () => set([box.value], box.checked);
  page.onchange = () => set(boxes.map((box) => box.value), page.checked);
  byId("select-none").onclick = () => { selected.clear(); show(); };
  byId("select-all").onclick = async () => {
    try {
      const request = await call(byId("select-all").dataset.url, "GET", undefined, saidByUs);
      set(request.conf.tenants, true);
      if (request.is_cut) showProblem(`Only the first ${request.count.toLocaleString("en")} were selected.`);
    } catch (error) {
      showProblem(error.message);
    }
  };
  byId("import-selected").onclick = () => {
    const tenants = [...selected].slice(0, most);
    const conf = { instance, mode: "import", tenants };
    const request = { dag_id: dagId, count: tenants.length, is_cut: selected.size > most, conf };
    confirmStart(request, "customer", () => { selected.clear(); show(); });
  };
  show();
  return {
    ids: () => [...selected], // all of them: that there are too many is told
    seen: () => Number(sessionStorage.getItem(`${key}:seen`)),
    clear: () => { selected.clear(); show(); },
  };
}
