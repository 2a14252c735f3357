// Files that a page hands to the browser: made here, or fetched with the page's own token.
import { ApiError, authorization, type Schemas } from "./api";

export function save(parts: BlobPart[], type: string, name: string): void {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob(parts, { type }));
  anchor.download = name;
  anchor.click();
  // Not at once: the browser may read it a moment later.
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000);
}

export async function download(path: string, name: string): Promise<void> {
  let answer: Response;
  try {
    answer = await fetch(path, { headers: authorization() });
  } catch {
    throw new ApiError(0, "no_answer", "");
  }
  if (!answer.ok) {
    const told = (await answer.json().catch(() => ({}))) as Partial<Schemas["Error"]>;
    throw new ApiError(
      answer.status,
      told.error?.code ?? "",
      told.error?.message ?? `HTTP ${answer.status}`,
    );
  }
  save([await answer.blob()], answer.headers.get("content-type") ?? "", name);
}
