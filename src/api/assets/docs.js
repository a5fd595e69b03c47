// Renders /openapi.json. No library, nothing from elsewhere; text goes in as text, never as HTML.
"use strict";

let spec;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function resolve(schema) {
  while (schema && schema.$ref) {
    const [kind, name] = schema.$ref.split("/").slice(-2);
    schema = spec.components[kind][name];
  }
  return schema || {};
}

function parts(schema) {
  return schema.anyOf ? schema.anyOf.map(resolve) : [resolve(schema)];
}

function typeName(schema) {
  return parts(schema)
    .map((part) => (part.type === "array" ? `list of ${typeName(part.items || {})}` : part.type || "any"))
    .filter((name, index, all) => all.indexOf(name) === index)
    .join(" or ");
}

function objectIn(schema) {
  for (const part of parts(schema)) {
    if (part.properties) return part;
    if (part.type === "array") return objectIn(part.items || {});
  }
  return null;
}

function fieldRows(schema, depth = 0) {
  const found = objectIn(schema);
  if (!found) return [];
  const rows = [];
  for (const [name, field] of Object.entries(found.properties)) {
    const needed = (found.required || []).includes(name);
    const text = [field.description || resolve(field).description || ""];
    if (field.examples) text.push(`Example: ${JSON.stringify(field.examples[0])}`);
    rows.push(
      element(
        "tr", depth ? { class: "nested" } : {},
        element("td", {}, name, needed ? element("span", { class: "needed" }, " required") : ""),
        element("td", { class: "type" }, typeName(field)),
        element("td", {}, text.filter(Boolean).join(" ")),
      ),
    );
    if (depth < 3) rows.push(...fieldRows(field, depth + 1));
  }
  return rows;
}

function fieldTable(title, schema) {
  const rows = fieldRows(schema);
  if (!rows.length) return null;
  return element("div", {}, element("h3", {}, title), element("table", {}, ...rows));
}

function parameterTable(operation) {
  if (!(operation.parameters || []).length) return null;
  const rows = operation.parameters.map(resolve).map((parameter) =>
    element(
      "tr", {},
      element("td", {}, parameter.name, parameter.required ? element("span", { class: "needed" }, " required") : ""),
      element("td", { class: "type" }, `${parameter.schema.type || "any"}, in ${parameter.in}`),
      element("td", {}, parameter.description || ""),
    ),
  );
  return element("div", {}, element("h3", {}, "Parameters"), element("table", {}, ...rows));
}

function contentOf(holder) {
  return holder && holder.content ? Object.values(holder.content)[0] : null;
}

function answerTable(operation) {
  const rows = Object.entries(operation.responses).map(([status, answer]) =>
    element("tr", {}, element("td", {}, status), element("td", {}, answer.description)),
  );
  const good = Object.entries(operation.responses).find(([status]) => status.startsWith("2"));
  const content = good && contentOf(good[1]);
  return element(
    "details", {}, element("summary", {}, "Answers"),
    element("div", {}, element("table", {}, ...rows), content ? fieldTable(`Body of ${good[0]}`, content.schema) : null),
  );
}

function curlLine(method, url, headers, body) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const words = ["curl"];
  if (method !== "POST") words.push(method === "GET" ? "" : `-X ${method}`);
  for (const [name, value] of Object.entries(headers)) {
    words.push(`-H ${quote(`${name}: ${name === "Authorization" ? "Bearer cf_…" : value}`)}`);
  }
  if (body) words.push(`-d ${quote(body)}`);
  words.push(quote(url));
  return words.filter(Boolean).join(" ");
}

function tryForm(path, method, operation) {
  const fields = (operation.parameters || []).map(resolve).map((parameter) => {
    const input = element("input", { name: parameter.name, placeholder: parameter.description || "" });
    return { parameter, input };
  });
  const content = contentOf(operation.requestBody);
  const body = content ? element("textarea", { spellcheck: "false", "aria-label": "Body" }) : null;
  if (body) body.value = JSON.stringify(content.example || {}, null, 2);
  const shown = element("div", {});
  const button = element("button", { type: "submit" }, "Send");

  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    let target = path;
    const query = new URLSearchParams();
    const headers = {};
    const key = document.getElementById("key").value.trim();
    if (key) headers.Authorization = `Bearer ${key}`;
    if (body) headers["Content-Type"] = "application/json";
    for (const { parameter, input } of fields) {
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value && parameter.in === "query") query.set(parameter.name, input.value);
      else if (input.value) headers[parameter.name] = input.value;
    }
    if ([...query].length) target += `?${query}`;
    const lines = element("pre", {}, curlLine(method, location.origin + target, headers, body && body.value));
    try {
      const answer = await fetch(target, { method, headers, body: body ? body.value : undefined });
      const text = await answer.text();
      let pretty = text;
      try { pretty = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it came */ }
      const told = element("pre", answer.ok ? {} : { class: "failed" }, `${answer.status} ${answer.statusText}\n\n${pretty}`);
      shown.replaceChildren(element("h3", {}, "Request"), lines, element("h3", {}, "Answer"), told);
    } catch (error) {
      shown.replaceChildren(element("pre", { class: "failed" }, `No answer: ${error.message}`));
    }
    button.disabled = false;
  }

  return element(
    "details", {}, element("summary", {}, "Try it"),
    element(
      "div", {},
      element("form", { onsubmit: submit }, ...fields.map(({ parameter, input }) => element("label", {}, parameter.name, input)), body, button),
      shown,
    ),
  );
}

function operationSection(path, method, operation, isHook) {
  const content = contentOf(operation.requestBody);
  return element(
    "section", { id: operation.operationId },
    element("h2", {}, operation.summary),
    element(
      "p", { class: "call" },
      element("span", { class: `method ${isHook ? "hook" : method}` }, isHook ? "WEBHOOK" : method.toUpperCase()),
      isHook ? "your URL" : path,
    ),
    parameterTable(operation),
    content ? fieldTable("Body", content.schema) : null,
    content && content.example ? element("div", {}, element("h3", {}, "Example"), element("pre", {}, JSON.stringify(content.example, null, 2))) : null,
    answerTable(operation),
    isHook ? null : tryForm(path, method.toUpperCase(), operation),
  );
}

function errorSection() {
  const rows = spec["x-errors"].map((error) =>
    element(
      "tr", { id: error.code },
      element("td", {}, error.code),
      element("td", { class: "type" }, `${error.status} · ${error.v1}`),
      element("td", {}, `${error.title}: ${error.remedy}.`),
    ),
  );
  return element(
    "section", { id: "errors" }, element("h2", {}, "Errors"),
    element("p", { class: "hint" }, "Name, HTTP status and on-premises code, and what to change."),
    element("table", {}, ...rows),
  );
}

function render() {
  document.getElementById("version").textContent = spec.info.version;
  document.getElementById("about").textContent = spec.info.description;
  const operations = [];
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const [method, operation] of Object.entries(item)) operations.push([path, method, operation, false]);
  }
  for (const [path, item] of Object.entries(spec.webhooks)) {
    for (const [method, operation] of Object.entries(item)) operations.push([path, method, operation, true]);
  }
  const main = document.getElementById("main");
  const contents = document.getElementById("contents");
  main.replaceChildren();
  for (const tag of spec.tags) {
    contents.append(element("h2", { title: tag.description }, tag.name));
    for (const [path, method, operation, isHook] of operations.filter((one) => one[2].tags[0] === tag.name)) {
      contents.append(element("a", { href: `#${operation.operationId}` }, operation.summary));
      main.append(operationSection(path, method, operation, isHook));
    }
  }
  contents.append(element("h2", {}, "reference"), element("a", { href: "#errors" }, "Errors"));
  main.append(errorSection());
  if (location.hash) location.replace(location.hash);
}

async function start() {
  try {
    spec = await (await fetch("/openapi.json")).json();
    render();
  } catch (error) {
    document.getElementById("main").textContent = `/openapi.json cannot be read: ${error.message}`;
  }
}

start();
