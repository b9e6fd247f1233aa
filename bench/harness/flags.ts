/**
 * How a server of short messages is started, as the READMEs of examples/echo and examples/chat say: all in Node that are compared with them, too.
 *
 * V8 doubles the young generation while a program is loaded, to 16 MB twice over, and a program that loads Effect has it at once. Short messages leave
 * little in it that lives on, so less does as well. Requests that wait for a database live longer: the storefront has a size of its own, which its Dockerfile
 * says, and other HTTP servers are measured as Node starts them.
 */
export const smallYoungGeneration: ReadonlyArray<string> = ["--max-semi-space-size=2"]
