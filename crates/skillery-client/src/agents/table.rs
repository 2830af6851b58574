//! Which agents there are, and where each looks for skills. A list: what is done with it stands elsewhere.
//!
//! `~` is the home folder, `$NAME` the folder that a variable names, else the one in [`VARIABLES`], and `./` the project.

use crate::agents::Agent;

/// Variables that move a folder, and the folder below the home where they are not set.
pub(super) const VARIABLES: &[(&str, &str)] = &[
    ("AUTOHAND_HOME", ".autohand"),
    ("CLAUDE_CONFIG_DIR", ".claude"),
    ("CODEX_HOME", ".codex"),
    ("COPILOT_HOME", ".copilot"),
    ("GEMINI_CLI_HOME", ""),
    ("GROK_HOME", ".grok"),
    ("HERMES_HOME", ".hermes"),
    ("SARVAM_HOME", ".sarvam"),
    ("VIBE_HOME", ".vibe"),
    ("XDG_CONFIG_HOME", ".config"),
];

/// Shorter names.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("agents", "universal"),
    ("claude", "claude-code"),
    ("copilot", "github-copilot"),
    ("gemini", "gemini-cli"),
    ("iflow", "iflow-cli"),
    ("kimi", "kimi-code-cli"),
    ("kiro", "kiro-cli"),
    ("qwen", "qwen-code"),
    ("tabnine", "tabnine-cli"),
    ("vibe", "mistral-vibe"),
];

/// The folder that many agents share, and that links lead to.
pub(super) const SHARED: &str = "universal";

const fn agent(
    name: &'static str,
    title: &'static str,
    project: &'static str,
    global: &'static str,
    found_by: &'static str,
) -> Agent {
    Agent { name, title, project, global, found_by }
}

/// Name, title, folder in a project, folder for all projects of a user (empty where there is none), and the folders that
/// show that it is on this machine (with spaces between them; empty where nothing shows it).
#[rustfmt::skip]
pub(super) static AGENTS: &[Agent] = &[
    agent("adal", "AdaL", ".adal/skills", "~/.adal/skills", "~/.adal"),
    agent("aider-desk", "AiderDesk", ".aider-desk/skills", "~/.aider-desk/skills", "~/.aider-desk"),
    agent("amp", "Amp", ".agents/skills", "$XDG_CONFIG_HOME/agents/skills", "$XDG_CONFIG_HOME/amp"),
    agent("antigravity", "Antigravity", ".agents/skills", "~/.gemini/antigravity/skills", "~/.gemini/antigravity"),
    agent("antigravity-cli", "Antigravity CLI", ".agents/skills", "~/.gemini/antigravity-cli/skills", "~/.gemini/antigravity-cli"),
    agent("astrbot", "AstrBot", "data/skills", "~/.astrbot/data/skills", "~/.astrbot"),
    agent("augment", "Augment", ".augment/skills", "~/.augment/skills", "~/.augment"),
    agent("autohand-code", "Autohand Code CLI", ".autohand/skills", "$AUTOHAND_HOME/skills", "$AUTOHAND_HOME"),
    agent("bob", "IBM Bob", ".bob/skills", "~/.bob/skills", "~/.bob"),
    agent("claude-code", "Claude Code", ".claude/skills", "$CLAUDE_CONFIG_DIR/skills", "$CLAUDE_CONFIG_DIR"),
    agent("cline", "Cline", ".agents/skills", "~/.agents/skills", "~/.cline"),
    agent("codearts-agent", "CodeArts Agent", ".codeartsdoer/skills", "~/.codeartsdoer/skills", "~/.codeartsdoer"),
    agent("codebuddy", "CodeBuddy", ".codebuddy/skills", "~/.codebuddy/skills", "./.codebuddy ~/.codebuddy"),
    agent("codemaker", "Codemaker", ".codemaker/skills", "~/.codemaker/skills", "~/.codemaker"),
    agent("codestudio", "Code Studio", ".codestudio/skills", "~/.codestudio/skills", "~/.codestudio"),
    agent("codex", "Codex", ".agents/skills", "~/.agents/skills", "$CODEX_HOME /etc/codex"),
    agent("command-code", "Command Code", ".commandcode/skills", "~/.commandcode/skills", "~/.commandcode"),
    agent("continue", "Continue", ".continue/skills", "~/.continue/skills", "./.continue ~/.continue"),
    agent("cortex", "Cortex Code", ".cortex/skills", "~/.snowflake/cortex/skills", "~/.snowflake/cortex"),
    agent("crush", "Crush", ".crush/skills", "$XDG_CONFIG_HOME/crush/skills", "$XDG_CONFIG_HOME/crush"),
    agent("cursor", "Cursor", ".agents/skills", "~/.cursor/skills", "~/.cursor"),
    agent("deepagents", "Deep Agents", ".agents/skills", "~/.deepagents/agent/skills", "~/.deepagents"),
    agent("devin", "Devin for Terminal", ".devin/skills", "$XDG_CONFIG_HOME/devin/skills", "$XDG_CONFIG_HOME/devin"),
    agent("dexto", "Dexto", ".agents/skills", "~/.agents/skills", "~/.dexto"),
    agent("droid", "Droid", ".agents/skills", "~/.factory/skills", "~/.factory"),
    agent("eve", "Eve", "agent/skills", "", ""),
    agent("firebender", "Firebender", ".agents/skills", "~/.firebender/skills", "~/.firebender"),
    agent("forgecode", "ForgeCode", ".forge/skills", "~/.forge/skills", "~/.forge"),
    agent("fx", "fx", ".agents/skills", "~/.agents/skills", "~/.fx"),
    agent("gemini-cli", "Gemini CLI", ".agents/skills", "$GEMINI_CLI_HOME/.agents/skills", "$GEMINI_CLI_HOME/.gemini"),
    agent("github-copilot", "GitHub Copilot", ".agents/skills", "$COPILOT_HOME/skills", "$COPILOT_HOME"),
    agent("goose", "Goose", ".goose/skills", "$XDG_CONFIG_HOME/goose/skills", "$XDG_CONFIG_HOME/goose"),
    agent("grok", "Grok Build", ".grok/skills", "$GROK_HOME/skills", "$GROK_HOME"),
    agent("hermes-agent", "Hermes Agent", ".hermes/skills", "$HERMES_HOME/skills", "$HERMES_HOME"),
    agent("iflow-cli", "iFlow CLI", ".iflow/skills", "~/.iflow/skills", "~/.iflow"),
    agent("inference-sh", "inference.sh", ".inferencesh/skills", "~/.inferencesh/skills", "~/.inferencesh"),
    agent("jazz", "Jazz", ".jazz/skills", "~/.jazz/skills", "~/.jazz ./.jazz"),
    agent("junie", "Junie", ".junie/skills", "~/.junie/skills", "~/.junie"),
    agent("kilo", "Kilo Code", ".agents/skills", "~/.kilo/skills", "~/.kilo ~/.kilocode"),
    agent("kimchi", "Kimchi", ".kimchi/skills", "~/.config/kimchi/harness/skills", "~/.config/kimchi"),
    agent("kimi-code-cli", "Kimi Code CLI", ".agents/skills", "~/.agents/skills", "~/.kimi-code ~/.kimi"),
    agent("kiro-cli", "Kiro CLI", ".kiro/skills", "~/.kiro/skills", "~/.kiro"),
    agent("kode", "Kode", ".kode/skills", "~/.kode/skills", "~/.kode"),
    agent("lingma", "Lingma", ".lingma/skills", "~/.lingma/skills", "~/.lingma"),
    agent("loaf", "Loaf", ".agents/skills", "~/.agents/skills", "~/.loaf"),
    agent("mcpjam", "MCPJam", ".mcpjam/skills", "~/.mcpjam/skills", "~/.mcpjam"),
    agent("minimax-code", "MiniMax Code", ".minimax/skills", "~/.minimax/skills", "~/.minimax"),
    agent("mistral-vibe", "Mistral Vibe", ".vibe/skills", "$VIBE_HOME/skills", "$VIBE_HOME"),
    agent("moxby", "Moxby", ".moxby/skills", "~/.moxby/skills", "~/.moxby"),
    agent("mux", "Mux", ".mux/skills", "~/.mux/skills", "~/.mux"),
    agent("neovate", "Neovate", ".neovate/skills", "~/.neovate/skills", "~/.neovate"),
    agent("ona", "Ona", ".ona/skills", "~/.ona/skills", "~/.ona"),
    agent("openclaw", "OpenClaw", "skills", "~/.openclaw/skills", "~/.openclaw"),
    agent("opencode", "OpenCode", ".agents/skills", "$XDG_CONFIG_HOME/opencode/skills", "$XDG_CONFIG_HOME/opencode"),
    agent("openhands", "OpenHands", ".openhands/skills", "~/.openhands/skills", "~/.openhands"),
    agent("pi", "Pi", ".agents/skills", "~/.agents/skills", "~/.pi/agent"),
    agent("pochi", "Pochi", ".pochi/skills", "~/.pochi/skills", "~/.pochi"),
    agent("posit-assistant", "Posit Assistant", ".posit/assistant/skills", "~/.posit/assistant/skills", "~/.posit/assistant ~/.positai"),
    agent("promptscript", "PromptScript", ".agents/skills", "", "./.promptscript ./promptscript.yaml"),
    agent("qoder", "Qoder", ".qoder/skills", "~/.qoder/skills", "~/.qoder"),
    agent("qoder-cn", "Qoder CN", ".qoder/skills", "~/.qoder-cn/skills", "~/.qoder-cn"),
    agent("qwen-code", "Qwen Code", ".qwen/skills", "~/.qwen/skills", "~/.qwen"),
    agent("reasonix", "Reasonix", ".reasonix/skills", "~/.reasonix/skills", "~/.reasonix"),
    agent("replit", "Replit", ".agents/skills", "$XDG_CONFIG_HOME/agents/skills", "./.replit"),
    agent("roo", "Roo Code", ".roo/skills", "~/.roo/skills", "~/.roo"),
    agent("rovodev", "Rovo Dev", ".rovodev/skills", "~/.rovodev/skills", "~/.rovodev"),
    agent("sarvam-code", "Sarvam Code", ".agents/skills", "~/.agents/skills", "$SARVAM_HOME"),
    agent("tabnine-cli", "Tabnine CLI", ".tabnine/agent/skills", "~/.tabnine/agent/skills", "~/.tabnine"),
    agent("terramind", "Terramind", ".terramind/skills", "~/.terramind/skills", "~/.terramind"),
    agent("tinycloud", "Tinycloud", ".tinycloud/skills", "~/.tinycloud/skills", "~/.tinycloud"),
    agent("trae", "Trae", ".trae/skills", "~/.trae/skills", "~/.trae"),
    agent("trae-cn", "Trae CN", ".trae/skills", "~/.trae-cn/skills", "~/.trae-cn"),
    agent("warp", "Warp", ".agents/skills", "~/.agents/skills", "~/.warp"),
    agent("windsurf", "Windsurf", ".windsurf/skills", "~/.codeium/windsurf/skills", "~/.codeium/windsurf"),
    agent("zcode", "ZCode", ".zcode/skills", "~/.zcode/skills", "~/.zcode"),
    agent("zed", "Zed", ".agents/skills", "~/.agents/skills", "$XDG_CONFIG_HOME/zed"),
    agent("zencoder", "Zencoder", ".zencoder/skills", "~/.zencoder/skills", "~/.zencoder"),
    agent("zenflow", "Zenflow", ".zencoder/skills", "~/.zencoder/skills", "~/.zencoder"),
    agent("universal", "Whoever reads `.agents/skills`", ".agents/skills", "~/.agents/skills", ""),
];
