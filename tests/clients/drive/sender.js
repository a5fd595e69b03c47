// @hyperjumptech/whatsapp-business-sender: log in, look contacts up, send a template.
const assert = require("node:assert");
const sender = require("@hyperjumptech/whatsapp-business-sender");
const { API, PASSWORD, DEMO } = process.env;

async function main() {
  const { users } = await sender.loginUser(API, { username: "admin", password: PASSWORD });
  const token = users[0].token;
  const template = { name: "order_ready", language: "en_US", components: [{ type: "BODY", text: "Hello {{1}}" }] };
  const headers = { Authorization: `Bearer ${token}` };
  const made = await fetch(`${API}/v1/templates`, { method: "POST", headers, body: JSON.stringify(template) });
  assert.equal(made.status, 201);

  const found = await sender.checkContacts(API, token, [`+${DEMO}`, "+491700000001"]);
  assert.deepEqual(found.contacts.map((each) => each.status), ["valid", "invalid"]);
  const order = {
    namespace: "any",
    name: "order_ready",
    language: { policy: "deterministic", code: "en_US" },
    components: [{ type: "body", parameters: [{ type: "text", text: "Ada" }] }],
  };
  const sent = await sender.sendMessageTemplateText(API, token, { phone: DEMO, template: order });
  assert.match(sent.messages[0].id, /^gBGG/);
  order.name = "nothing";
  await assert.rejects(sender.sendMessageTemplateText(API, token, { phone: DEMO, template: order }), /404/);
  console.log("done");
}

main();
