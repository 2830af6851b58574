//! Stems of words, remembered: the same words come again in every skill, and finding a stem takes longer than looking
//! it up.

use std::sync::Arc;

use quick_cache::sync::Cache;
use tantivy::tokenizer::{
    Language, RawTokenizer, Stemmer, TextAnalyzer, Token, TokenFilter, TokenStream, Tokenizer,
};

/// Words that are remembered: a few megabytes.
const REMEMBERED: usize = 32_768;
/// Longer words rarely come again.
const LONGEST: usize = 30;

/// Gives the English stems of tokens in lower case. Clones remember together.
#[derive(Clone)]
pub(super) struct Stems {
    known: Arc<Cache<Box<str>, Arc<str>>>,
    stemmer: TextAnalyzer,
}

impl Stems {
    pub(super) fn new() -> Self {
        Self {
            known: Arc::new(Cache::new(REMEMBERED)),
            stemmer: TextAnalyzer::builder(RawTokenizer::default())
                .filter(Stemmer::new(Language::English))
                .build(),
        }
    }

    /// Puts the stem in the word's place.
    fn stem(&mut self, word: &mut String) {
        if let Some(stem) = self.known.get(word.as_str()) {
            word.clear();
            word.push_str(&stem);
            return;
        }
        let mut stems = self.stemmer.token_stream(word);
        if !stems.advance() {
            return;
        }
        let stem = std::mem::take(&mut stems.token_mut().text);
        drop(stems);
        if word.len() <= LONGEST {
            self.known.insert(word.as_str().into(), stem.as_str().into());
        }
        *word = stem;
    }
}

impl TokenFilter for Stems {
    type Tokenizer<T: Tokenizer> = StemsFilter<T>;

    fn transform<T: Tokenizer>(self, inner: T) -> StemsFilter<T> {
        StemsFilter { stems: self, inner }
    }
}

#[derive(Clone)]
pub(super) struct StemsFilter<T> {
    stems: Stems,
    inner: T,
}

impl<T: Tokenizer> Tokenizer for StemsFilter<T> {
    type TokenStream<'a> = StemsStream<'a, T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        StemsStream { stems: &mut self.stems, words: self.inner.token_stream(text) }
    }
}

pub(super) struct StemsStream<'a, T> {
    stems: &'a mut Stems,
    words: T,
}

impl<T: TokenStream> TokenStream for StemsStream<'_, T> {
    fn advance(&mut self) -> bool {
        if !self.words.advance() {
            return false;
        }
        self.stems.stem(&mut self.words.token_mut().text);
        true
    }

    fn token(&self) -> &Token {
        self.words.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.words.token_mut()
    }
}

#[cfg(test)]
mod tests {
    use tantivy::tokenizer::{LowerCaser, SimpleTokenizer};

    use super::*;

    #[test]
    fn a_word_has_the_same_stem_each_time_it_is_seen() {
        let builder = || TextAnalyzer::builder(SimpleTokenizer::default()).filter(LowerCaser);
        let mut remembering = builder().filter(Stems::new()).build();
        let mut plain = builder().filter(Stemmer::new(Language::English)).build();
        let text =
            "Validating validated VALIDATES validation 日本語 über antidisestablishmentarianistically x";
        for _ in 0..2 {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            remembering.token_stream(text).process(&mut |token| left.push(token.clone()));
            plain.token_stream(text).process(&mut |token| right.push(token.clone()));
            assert_eq!(left, right);
            assert_eq!(left[0].text, "valid");
        }
    }
}
