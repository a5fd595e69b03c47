# curl: large bodies that ask before they come, chunks, forms, old HTTP, many requests on one connection.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
key="Authorization: Bearer $KEY"
text='{"to":"'$DEMO'","type":"text","text":{"body":"Hello from curl"}}'
code() { curl -sS -o "$folder/answer" -w '%{http_code}' "$@"; }
is() { [ "$1" = "$2" ] || { echo "got $1, not $2: $(cat "$folder/answer")"; exit 1; }; }
put() { is "$(code -H "$key" "$@" "$API/v1/media")" 200; sed 's/.*"id":"\([^"]*\).*/\1/' "$folder/answer"; }

is "$(code -H "$key" -d "$text" "$API/v1/messages")" 201
is "$(code -H "$key" -d "$text" "$API//v1/messages/?x=1")" 201
is "$(code -H "$key" -H 'Content-Type: application/json; charset=utf-8' -d "$text" "$API/v1/messages")" 201
is "$(code -H "$key" -H 'Content-Type:' -d "$text" "$API/v1/messages")" 201
is "$(code -H "authorization: bearer $KEY" -d "$text" "$API/v1/messages")" 201
is "$(code -H "D360-API-KEY: $KEY" -d "$text" "$API/v1/messages")" 201
for path in webhook phone_number templates; do is "$(code -H "D360-API-KEY: $KEY" "$API/v1/configs/$path")" 200; done
is "$(code -H "$key" -H 'Transfer-Encoding: chunked' -d "$text" "$API/v1/messages")" 201
is "$(code --http1.0 -H "$key" -d "$text" "$API/v1/messages")" 201
is "$(code --http2 -H "$key" -d "$text" "$API/v1/messages")" 201
is "$(code -I -H "$key" "$API/v1/health")" 200
is "$(code -H "Authorization: Apikey $KEY" "$API/v1/stats/app?format=prometheus")" 200
is "$(code "$API/")" 200
is "$(code -X POST -u "admin:$PASSWORD" "$API/v1/users/login")" 200
is "$(code -u "admin:$PASSWORD" -H 'Content-Type: application/json' -d '{"new_password":""}' "$API/v1/users/login")" 200

head -c 3000000 /dev/urandom >"$folder/file"
octets='Content-Type: application/octet-stream'
for id in \
    "$(put -H "$octets" -H 'Expect: 100-continue' --data-binary "@$folder/file")" \
    "$(put -H "$octets" -X POST -T - <"$folder/file")" \
    "$(put -F "file=@$folder/file;type=application/octet-stream" -F messaging_product=whatsapp)"; do
    is "$(curl -sS -H "$key" "$API/v1/media/$id" | cmp - "$folder/file" && echo same)" same
    is "$(code -X DELETE -H "$key" "$API/v1/media/$id")" 200
done

curl -sS -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects}\n' -H "$key" \
    "$API/v1/health" "$API/v1/health" "$API/v1/health" >"$folder/answer"
is "$(tr -d '\n' <"$folder/answer")" 100
is "$(code --connect-to "::localhost:" "$API/livez")" 200
echo done
