//! Programs that install skills, as far as a registry tells them apart.

use crate::words::word_enum;

word_enum! {
    /// The program that a skill was downloaded with. The list is closed: what callers say of themselves makes no new one.
    Program {
        /// `skillery`, and Python's `orchestrator`.
        Skillery = "skillery",
        /// Git, and whatever clones with it.
        Git = "git",
        /// Well-known discovery: `npx skills` and others.
        Discovery = "discovery",
        /// `clawhub`.
        Clawhub = "clawhub",
        /// A host of the Model Context Protocol.
        Mcp = "mcp",
        /// A client of OpenAPM.
        Openapm = "openapm",
        /// A browser.
        Browser = "browser",
        /// `curl` or `wget`.
        Curl = "curl",
        /// An HTTP library of Python.
        Python = "python",
        /// Node.js, Bun or Deno.
        Node = "node",
        /// Anything else.
        Other = "other",
    }
}

impl Program {
    /// The program that calls itself this in `User-Agent`: its first product token, in any case.
    pub fn of_user_agent(text: &str) -> Self {
        let product = text.trim_start().split(['/', ' ', '(', ';']).next().unwrap_or_default();
        match product.to_ascii_lowercase().as_str() {
            "skillery" | "orchestrator" => Self::Skillery,
            "git" | "jgit" | "go-git" => Self::Git,
            "clawhub" | "openclaw" => Self::Clawhub,
            "mozilla" => Self::Browser,
            "curl" | "wget" => Self::Curl,
            "python" | "python-requests" | "python-httpx" | "python-urllib" | "python-urllib3"
            | "aiohttp" => Self::Python,
            "node" | "node-fetch" | "undici" | "bun" | "deno" | "axios" => Self::Node,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_by_their_first_product_token() {
        for (text, program) in [
            ("skillery/0.1.0", Program::Skillery),
            ("git/2.43.0", Program::Git),
            ("curl/8.5.0", Program::Curl),
            ("Wget/1.21", Program::Curl),
            ("Python-urllib/3.12", Program::Python),
            ("python-requests/2.32", Program::Python),
            ("Mozilla/5.0 (X11; Linux x86_64) Firefox/130", Program::Browser),
            ("node", Program::Node),
            ("Bun/1.2", Program::Node),
            ("", Program::Other),
            ("  skillery ", Program::Skillery),
            ("evil/1 skillery/1", Program::Other),
            ("скиллери/1", Program::Other),
        ] {
            assert_eq!(Program::of_user_agent(text), program, "{text}");
        }
    }

    #[test]
    fn words_round_trip() {
        for program in Program::ALL {
            assert_eq!(program.as_str().parse::<Program>().as_ref(), Ok(program));
        }
    }
}
