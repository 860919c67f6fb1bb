// Which URLs other servers may be asked at.

/** What is wrong with a URL that another server is to be asked at; `undefined` when nothing is. */
export function urlFault(text: string): string | undefined {
  if (!URL.canParse(text)) return "no URL";
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return "a URL that is neither https: nor http:";
  if (url.username !== "" || url.password !== "") return "a URL with a user name or a password";
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  return url.protocol === "http:" && !isHere
    ? "http: to another machine, where anybody can read along"
    : undefined;
}
