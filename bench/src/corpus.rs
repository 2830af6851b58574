//! Skills and queries, made from descriptions of real skills. The same number always makes the same skill.

use std::fmt::Write;

use fastrand::Rng;
use skillery_core::api::PublishRequest;

const DESCRIPTIONS: &str = include_str!("../data/descriptions.txt");
/// Namespaces that the skills are spread over.
const TEAMS: usize = 200;
/// Words that nobody searches for.
const EMPTY_WORDS: &[&str] = &[
    "about", "across", "after", "also", "before", "between", "during", "each", "from", "have", "into",
    "like", "more", "need", "needs", "only", "other", "over", "some", "such", "than", "that", "their",
    "them", "then", "they", "this", "through", "used", "user", "users", "uses", "using", "want", "wants",
    "what", "when", "where", "which", "while", "will", "with", "without", "your",
];

/// What skills and queries are made from.
pub struct Corpus {
    /// Each with its words.
    descriptions: Vec<(&'static str, Vec<String>)>,
}

impl Corpus {
    /// From the descriptions of this repository.
    pub fn new() -> Self {
        Self { descriptions: DESCRIPTIONS.lines().map(|line| (line, words_of(line))).collect() }
    }

    /// Skill `number`, with code of exactly so many bytes.
    pub fn skill(&self, number: usize, code_bytes: usize) -> PublishRequest {
        let mut rng = Rng::with_seed(number as u64);
        let description = self.description(&mut rng);
        let words = words_of(&description);
        let id = format!("team-{:03}/{}-{number}", number % TEAMS, pick(&mut rng, &words));
        let mut tags: Vec<String> = (0..3).map(|_| pick(&mut rng, &words)).collect();
        tags.sort();
        tags.dedup();
        let code = self.code(&mut rng, &id, &description, code_bytes);
        PublishRequest {
            id,
            version: "1.0.0".to_owned(),
            description,
            tags,
            code,
            ..PublishRequest::default()
        }
    }

    /// The id of skill `number`.
    pub fn id(&self, number: usize) -> String {
        self.skill(number, 0).id
    }

    /// The first half of one description and the second half of another.
    fn description(&self, rng: &mut Rng) -> String {
        let mut half = |second: bool| {
            let words: Vec<&str> = self.any(rng).0.split(' ').collect();
            let (front, back) = words.split_at(words.len() / 2);
            if second { back.join(" ") } else { front.join(" ") }
        };
        let front = half(false);
        front + " " + &half(true)
    }

    fn any(&self, rng: &mut Rng) -> &(&'static str, Vec<String>) {
        &self.descriptions[rng.usize(..self.descriptions.len())]
    }

    /// Python that does next to nothing, in the words of skills.
    fn code(&self, rng: &mut Rng, id: &str, description: &str, bytes: usize) -> String {
        let mut code = format!(
            "# {id}\n\"\"\"{description}\"\"\"\n\n\ndef main(text: str) -> dict:\n    return {{\"text\": text}}\n"
        );
        let mut function = String::new();
        for number in 0.. {
            let (doc, words) = self.any(rng);
            let (verb, thing, item) = (pick(rng, words), pick(rng, words), pick(rng, words));
            function.clear();
            let _ = write!(
                function,
                "\n\ndef do_{verb}_{number}(values: list, limit: int = {limit}) -> dict:\n    \"\"\"{doc}\"\"\"\n    \
                 {thing}_list = [value for value in values if value != \"{item}\"]\n    \
                 return {{\"{thing}\": {thing}_list[:limit], \"{item}\": len({thing}_list)}}\n",
                limit = rng.u32(1..1_000),
            );
            if code.len() + function.len() > bytes {
                break;
            }
            code += &function;
        }
        if code.len() < bytes {
            let filled = bytes - code.len() - 1;
            code.extend(std::iter::repeat_n('#', filled));
            code.push('\n');
        }
        code
    }

    /// Paths of searches for so many words that some skill below `skills` has.
    pub fn searches(&self, count: usize, words: usize, skills: usize, limit: Option<usize>) -> Vec<String> {
        let mut rng = Rng::with_seed(words as u64);
        let limit = limit.map(|limit| format!("&limit={limit}")).unwrap_or_default();
        (0..count)
            .map(|_| {
                let skill = self.skill(rng.usize(..skills), 0);
                let mut known = words_of(&skill.description);
                rng.shuffle(&mut known);
                known.truncate(words);
                format!("/api/v1/skills?q={}{limit}", known.join("+"))
            })
            .collect()
    }
}

/// The different words that say something.
fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text
        .split(|character: char| !character.is_ascii_alphabetic())
        .map(str::to_ascii_lowercase)
        .filter(|word| (4..=20).contains(&word.len()) && !EMPTY_WORDS.contains(&word.as_str()))
        .collect();
    words.sort();
    words.dedup();
    words
}

fn pick(rng: &mut Rng, words: &[String]) -> String {
    rng.choice(words).cloned().unwrap_or_else(|| "skill".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skills_are_what_the_registry_takes() {
        let corpus = Corpus::new();
        for number in [0, 1, 7, 4_711, 99_999] {
            let skill = corpus.skill(number, 8_192);
            assert_eq!(skill.code.len(), 8_192);
            assert_eq!(skill.id.parse::<skillery_core::SkillId>().unwrap().as_str(), skill.id);
            assert_eq!(skill, corpus.skill(number, 8_192));
        }
    }

    #[test]
    fn queries_have_the_words_of_one_skill() {
        let corpus = Corpus::new();
        for path in corpus.searches(50, 3, 1_000, Some(10)) {
            assert_eq!(path.matches('+').count(), 2, "{path}");
        }
    }
}
