// Every page. Whoever adds one adds a row: it is then looked at in light and dark, wide and narrow, with a keyboard, and
// judged by axe; it may weigh so much and ask nobody else for anything.
//
// `as` is who looks (nobody, if it is left out), `status` what it is answered with, `has` a text that must be there. Texts of
// authors are not judged where they are `hostile`.

export const PAGES = [
  { name: "home", path: "/", has: "Skills for agents" },
  { name: "search", path: "/search", has: "All skills" },
  { name: "search-filtered", path: "/search?q=tool&tags=pdf&sort=name&min_rating=3", has: "remove" },
  { name: "search-nothing", path: "/search?q=zzzzzz", has: "Nothing was found" },
  { name: "search-deep", path: "/search?offset=40", has: "Previous" },
  { name: "skill", path: "/acme/tool-00", has: "Install" },
  { name: "skill-folder", path: "/acme/docs/reports", has: "Steps" },
  { name: "skill-private", path: "/acme/vault", as: "ben", has: "private" },
  { name: "skill-unseen", path: "/acme/vault", status: 404, has: "no such skill" },
  { name: "skill-hostile", path: "/acme/hostile", has: "hostile", hostile: true },
  { name: "versions", path: "/acme/shaky/versions", has: "it shakes too much" },
  { name: "versions-many", path: "/acme/tool-00/versions?limit=10", has: "Older" },
  { name: "versions-reviewer", path: "/initech/reviewed/versions", as: "ben", has: "pending" },
  { name: "version", path: "/acme/tool-00/versions/1.3.0", has: "1.3.0" },
  { name: "version-yanked", path: "/acme/shaky/versions/1.0.1", has: "was yanked" },
  { name: "version-quarantined", path: "/acme/shaky/versions/1.0.2", has: "quarantined" },
  { name: "version-pending", path: "/initech/reviewed/versions/1.3.0", as: "ben", has: "1.3.0" },
  { name: "file", path: "/acme/shaky/versions/1.0.0/files/SKILL.md", has: "Raw" },
  { name: "file-code", path: "/acme/shaky/versions/1.0.0/files/scripts/run.py", has: "print" },
  { name: "ratings", path: "/acme/tool-00/ratings", has: "I use it every day" },
  { name: "ratings-signed-in", path: "/acme/tool-00/ratings", as: "ben", has: "Take it back" },
  { name: "ratings-none", path: "/acme/docs/reports/ratings", has: "Nobody has rated it yet" },
  { name: "login", path: "/login", has: "skillery open" },
  { name: "not-found", path: "/acme/nothing-there", status: 404, has: "no such skill" },
  { name: "docs", path: "/docs", has: "Bodies of requests" },
  { name: "docs-group", path: "/docs?show=skills", has: "Problems:" },
  { name: "docs-bodies", path: "/docs?show=bodies", has: "RateRequest" },
  { name: "docs-body", path: "/docs?show=ProblemCode", has: "invalid-json" },
  { name: "docs-errors", path: "/docs/errors", has: "invalid-json" },
];
