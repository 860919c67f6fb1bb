// Everything that one broker has to find out who its clients are: the authenticators, their files, and what they share.
// Made of options at once; files are read by `open`, and anew by `prepare`.

import type { AuthMethod, ClientInfo, ConnectHook, Hooks } from "@heirloom/core";
import type { ServerCounters } from "../counters.ts";
import { ConfigError } from "../errors.ts";
import type { Reloadable } from "../reload.ts";
import type { Authenticator } from "./authenticator.ts";
import { CertificateAuthenticator } from "./certificate.ts";
import { Chain } from "./chain.ts";
import { Guessing } from "./guessing.ts";
import { KeyedCache } from "./keyed-cache.ts";
import type { Authentication, AuthenticatorOptions, LoginLimits } from "./options.ts";
import { PasswordAuthenticator, type PasswordWork } from "./password-authenticator.ts";
import type { PasswordFile } from "./password-file.ts";
import { PasswordFiles } from "./password-files.ts";
import type { AuthenticatorTools, Made, Resource } from "./resource.ts";
import { Slots } from "./slots.ts";

export interface IdentityParts extends AuthenticatorTools {
  readonly authentication: readonly Authentication[];
  readonly limits: LoginLimits;
  readonly hooks: Hooks | undefined;
  readonly counters: ServerCounters;
  readonly allowsAnonymous: (listener: string) => boolean;
  /** Why a name must not be used, because rules put it into topics; `undefined` = it may. */
  readonly nameFault: (client: ClientInfo) => string | undefined;
  /** Accounts whose password is another one now, and accounts that are gone. */
  readonly revoked: (changed: ReadonlySet<string>, gone: ReadonlySet<string>) => void;
}

export class Identity implements Reloadable {
  readonly #parts: IdentityParts;
  readonly #files: PasswordFiles = new PasswordFiles();
  readonly #work: PasswordWork;
  readonly #passwordFiles: (() => PasswordFile)[] = [];
  readonly #guessing: Guessing;
  readonly #resources: Resource[] = [this.#files];
  readonly #authenticators: Authenticator[] = [];
  readonly #methods = new Map<string, AuthMethod>();
  readonly #chain: Chain;

  constructor(parts: IdentityParts) {
    this.#parts = parts;
    const { limits, counters, now, hooks, allowsAnonymous, nameFault, warn } = parts;
    this.#work = {
      slots: new Slots(limits.hashesAtOnce, limits.hashesWaiting),
      files: this.#passwordFiles,
      verified: new KeyedCache(limits.rememberedLogins, now),
      verifiedForMs: limits.rememberLoginsForMs,
    };
    this.#guessing = new Guessing(limits, counters, now);
    this.#chain = new Chain({
      authenticators: this.#authenticators,
      guessing: this.#guessing,
      counters,
      allowsAnonymous,
      nameFault,
      connectHook: hooks?.connect,
      warn,
      now,
    });
  }

  /** The hooks of the core: the application's own, with the authenticators before them. */
  get hooks(): Hooks {
    const { hooks } = this.#parts;
    const connect: ConnectHook = this.#chain.connect;
    // The map gets its methods when the files are read.
    for (const [name, method] of hooks?.authMethods ?? []) this.#methods.set(name, method);
    return { ...hooks, connect, authMethods: this.#methods };
  }

  /** Whether so many wrong passwords came from an address that nothing of it is looked at for now. */
  isBanned(remoteAddress: string): boolean {
    return this.#guessing.isBanned(remoteAddress);
  }

  /** Makes the authenticators and reads their files. @throws ConfigError */
  async open(): Promise<void> {
    for (const [index, options] of this.#parts.authentication.entries()) {
      if (typeof options === "function") this.#addFunction(options, index);
      else await this.#add(options);
    }
    for (const use of await this.#prepareAll()) use();
    for (const warning of this.#files.warnings) this.#parts.warn(warning);
  }

  async prepare(): Promise<() => void> {
    const before = this.#files.accounts();
    const uses = await this.#prepareAll();
    return () => {
      for (const use of uses) use();
      this.#chain.reloaded();
      for (const warning of this.#files.warnings) this.#parts.warn(warning);
      const { changed, gone } = this.#files.since(before);
      if (changed.size > 0 || gone.size > 0) this.#parts.revoked(changed, gone);
    };
  }

  close(): void {
    for (const resource of this.#resources) resource.close?.();
  }

  #prepareAll(): Promise<(() => void)[]> {
    return Promise.all(this.#resources.map((resource) => resource.prepare()));
  }

  #addFunction(authenticate: Extract<Authentication, (...args: never) => unknown>, index: number): void {
    const name = `authentication[${index}]`;
    this.#authenticators.push({
      name,
      authenticate: ({ connect, client }) => authenticate(connect, client),
    });
  }

  // What is not used is not loaded.
  async #add(options: AuthenticatorOptions): Promise<void> {
    if ("passwordFile" in options) {
      const file = this.#files.add(options.passwordFile);
      this.#passwordFiles.push(file);
      this.#authenticators.push(new PasswordAuthenticator(file, this.#work));
    } else if ("certificate" in options) {
      this.#authenticators.push(new CertificateAuthenticator(options.certificate.field ?? "commonName"));
    } else if ("scram" in options) {
      await this.#addScram(options.scram.passwordFile);
    } else if ("jwt" in options) {
      const { makeJwt } = await import("./make-jwt.ts");
      this.#use(await makeJwt(options.jwt, this.#parts));
    } else {
      const { makeWebhook } = await import("./make-webhook.ts");
      this.#use(await makeWebhook(options.webhook, this.#parts));
    }
  }

  #use(made: Made): void {
    this.#authenticators.push(made.authenticator);
    this.#resources.push(made.resource);
  }

  async #addScram(passwordFile: string): Promise<void> {
    const { SCRAM_METHOD, ScramMethod } = await import("./scram.ts");
    const guessing = this.#guessing;
    const { counters } = this.#parts;
    const method = new ScramMethod(this.#files.add(passwordFile), {
      refusal: ({ remoteAddress }, username) => guessing.refusal(remoteAddress, username),
      failed: ({ remoteAddress }, username) => guessing.failed(remoteAddress, username),
      succeeded: ({ remoteAddress }, username) => {
        counters.authenticationSuccesses++;
        guessing.succeeded(remoteAddress, username);
      },
    });
    if (this.#methods.has(SCRAM_METHOD)) {
      const message = `${SCRAM_METHOD} is offered twice: by \`scram\` and by \`hooks.authMethods\`, or by two \`scram\``;
      throw new ConfigError([{ option: "authentication", message }]);
    }
    this.#methods.set(SCRAM_METHOD, this.#chain.method(method));
  }
}
