//! The index on disk: its fields, its cursor, and how documents come in.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use skillery_core::id::SkillId;
use tantivy::directory::MmapDirectory;
use tantivy::schema::{
    FAST, Field, IndexRecordOption, NumericOptions, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{LowerCaser, RemoveLongFilter, SimpleTokenizer, TextAnalyzer};
use tantivy::{IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};

use super::stems::Stems;
use crate::db::skills::FullSkill;
use crate::failure::{Failure, Result};

/// The name of the folder holds the form of the index: another form is another folder.
const FORM: &str = "v2";
/// Bytes that the writer gathers before it writes a segment by itself.
const WRITER_BYTES: usize = 24 * 1024 * 1024;
/// Segments of fewer documents are joined when nothing else is to be done: a larger one takes seconds.
const SMALL_SEGMENT: u32 = 50_000;
/// Documents of segments that are joined at once at most.
const MOST_JOINED: u32 = 100_000;
/// Words are compared in this form: split at everything but letters and digits, lower case, English stems.
pub(super) const STEMMED: &str = "stemmed";
/// As [`STEMMED`], but whole words: for completing the last one.
pub(super) const WHOLE: &str = "whole";
/// Fields whose values are counted.
pub(super) const TAG: &str = "tag";
pub(super) const NAMESPACE: &str = "namespace";

/// How far the index has followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Entries of the log.
    pub log: i64,
    /// The time of the last of them, in microseconds: tells this history from that of a restored database.
    pub time: i64,
    /// Position of the install counts.
    pub installs: i64,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    registry: String,
    cursor: Cursor,
}

/// What becomes of a skill in the index.
#[derive(Debug, Clone)]
pub struct Document {
    /// The skill.
    pub skill: FullSkill,
    /// Downloads in the last seven days.
    pub recent: i64,
}

#[derive(Clone, Copy)]
pub(super) struct Fields {
    pub(super) key: Field,
    pub(super) number: Field,
    pub(super) name: Field,
    pub(super) exact: Field,
    pub(super) tags: Field,
    pub(super) description: Field,
    pub(super) body: Field,
    pub(super) words: Field,
    pub(super) tag: Field,
    pub(super) namespace: Field,
    pub(super) publisher: Field,
    pub(super) visibility: Field,
    pub(super) rating: Field,
    pub(super) rating_count: Field,
    pub(super) installs: Field,
    pub(super) recent: Field,
    pub(super) updated: Field,
}

/// The index.
pub struct Index {
    pub(super) fields: Fields,
    pub(super) reader: IndexReader,
    pub(super) inner: tantivy::Index,
    /// None after a failure, for example of a full disk: a writer that failed once never writes again.
    writer: Mutex<Option<IndexWriter>>,
    registry: String,
}

fn text(tokenizer: &str) -> TextOptions {
    words(tokenizer, IndexRecordOption::WithFreqs)
}

fn words(tokenizer: &str, kept: IndexRecordOption) -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(kept);
    TextOptions::default().set_indexing_options(indexing)
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let number = || NumericOptions::default().set_fast();
    let fields = Fields {
        key: builder.add_text_field("key", STRING | FAST),
        number: builder.add_u64_field("number", number()),
        name: builder.add_text_field("name", text(STEMMED)),
        exact: builder.add_text_field("exact", STRING),
        tags: builder.add_text_field("tags", text(STEMMED)),
        description: builder.add_text_field("description", text(STEMMED)),
        // Each different word stands there once.
        body: builder.add_text_field("body", words(STEMMED, IndexRecordOption::Basic)),
        words: builder.add_text_field("words", words(WHOLE, IndexRecordOption::Basic)),
        tag: builder.add_text_field(TAG, STRING | FAST),
        namespace: builder.add_text_field(NAMESPACE, STRING | FAST),
        publisher: builder.add_text_field("publisher", STRING),
        visibility: builder.add_text_field("visibility", STRING),
        rating: builder.add_f64_field("rating", number()),
        rating_count: builder.add_u64_field("rating_count", number()),
        installs: builder.add_u64_field("installs", number()),
        recent: builder.add_u64_field("recent", number()),
        updated: builder.add_u64_field("updated", number()),
    };
    (builder.build(), fields)
}

impl Index {
    /// Opens the index, or makes an empty one. The cursor is none when it must be built from nothing.
    pub fn open(folder: &Path, registry: &str) -> Result<(Self, Option<Cursor>)> {
        let place = folder.join(FORM);
        match Self::try_open(&place, registry) {
            Ok((index, Some(cursor))) => Ok((index, Some(cursor))),
            outcome => {
                if let Err(failure) = outcome {
                    tracing::warn!(error = ?failure.source, "the search index cannot be opened, and is built anew");
                }
                if place.exists() {
                    fs_err::remove_dir_all(&place).map_err(Failure::internal)?;
                }
                let (index, _) = Self::try_open(&place, registry)?;
                Ok((index, None))
            }
        }
    }

    fn try_open(place: &Path, registry: &str) -> Result<(Self, Option<Cursor>)> {
        fs_err::create_dir_all(place).map_err(Failure::internal)?;
        let (schema, fields) = schema();
        let directory = MmapDirectory::open(place).map_err(Failure::internal)?;
        let inner = tantivy::Index::open_or_create(directory, schema).map_err(Failure::internal)?;
        let whole = || {
            TextAnalyzer::builder(SimpleTokenizer::default())
                .filter(RemoveLongFilter::limit(64))
                .filter(LowerCaser)
        };
        inner.tokenizers().register(WHOLE, whole().build());
        inner.tokenizers().register(STEMMED, whole().filter(Stems::new()).build());
        let reader = inner
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()
            .map_err(Failure::internal)?;
        let writer = inner.writer_with_num_threads(1, WRITER_BYTES).map_err(Failure::internal)?;
        let payload = inner.load_metas().map_err(Failure::internal)?.payload;
        let cursor = payload
            .and_then(|payload| serde_json::from_str::<Payload>(&payload).ok())
            .filter(|payload| payload.registry == registry)
            .map(|payload| payload.cursor);
        let index =
            Self { fields, reader, inner, writer: Mutex::new(Some(writer)), registry: registry.to_owned() };
        Ok((index, cursor))
    }

    /// Puts documents in place of those with the same key. They are found after [`Index::commit`]. Blocks.
    pub fn put(&self, documents: &[Document]) -> Result<()> {
        self.write(|writer| {
            for document in documents {
                writer.delete_term(Term::from_field_text(self.fields.key, &document.skill.skill.id.key()));
                if let Some(document) = self.document(document) {
                    writer.add_document(document)?;
                }
            }
            Ok(())
        })
    }

    /// Empties the index. Blocks.
    pub fn clear(&self) -> Result<()> {
        self.write(|writer| writer.delete_all_documents().map(|_| ()))
    }

    /// Makes what was put durable and found, together with the cursor. Blocks.
    pub fn commit(&self, cursor: Cursor) -> Result<()> {
        let payload = serde_json::to_string(&Payload { registry: self.registry.clone(), cursor })
            .map_err(Failure::internal)?;
        self.write(|writer| {
            let mut commit = writer.prepare_commit()?;
            commit.set_payload(&payload);
            commit.commit().map(|_| ())
        })?;
        self.reader.reload().map_err(Failure::internal)
    }

    /// How many segments a search looks into.
    #[cfg(test)]
    pub fn segments(&self) -> usize {
        self.reader.searcher().segment_readers().len()
    }

    /// Joins small segments, so that a search has fewer to look into. False when there are none to join. Blocks.
    pub fn tidy(&self) -> Result<bool> {
        let segments = self.inner.searchable_segment_metas().map_err(Failure::internal)?;
        let sizes = segments.iter().map(|segment| (segment.num_docs(), segment.id())).collect();
        let small = worth_joining(sizes);
        if small.len() < 2 {
            return Ok(false);
        }
        let joined = self.write(|writer| Ok(writer.merge(&small)))?.wait();
        // Documents that come in make the writer join some of them by itself, which is as good.
        if let Err(error) = joined {
            tracing::debug!(%error, "segments of the index stay apart for now");
            return Ok(false);
        }
        self.reader.reload().map_err(Failure::internal)?;
        Ok(true)
    }

    /// Works with the writer. After a failure everything since the last commit is forgotten, and the next work gets a
    /// new writer.
    fn write<T>(&self, work: impl FnOnce(&mut IndexWriter) -> tantivy::Result<T>) -> Result<T> {
        let mut place = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = match place.take() {
            Some(writer) => writer,
            None => self.inner.writer_with_num_threads(1, WRITER_BYTES).map_err(Failure::internal)?,
        };
        let value = work(&mut writer).map_err(Failure::internal)?;
        *place = Some(writer);
        Ok(value)
    }

    fn document(&self, document: &Document) -> Option<TantivyDocument> {
        let Document { skill, recent } = document;
        let record = skill.record.as_ref()?;
        let fields = &self.fields;
        let id: &SkillId = &skill.skill.id;
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        let mut entry = TantivyDocument::default();
        entry.add_text(fields.key, id.key());
        entry.add_u64(fields.number, unsigned(skill.skill.number));
        entry.add_text(fields.name, id.as_str());
        entry.add_text(fields.exact, exact(id.as_str()));
        entry.add_text(fields.exact, exact(id.name()));
        entry.add_text(fields.words, id.as_str());
        for tag in &record.tags {
            entry.add_text(fields.tags, tag);
            entry.add_text(fields.words, tag);
            entry.add_text(fields.tag, tag.to_lowercase());
        }
        entry.add_text(fields.description, &record.description);
        entry.add_text(fields.words, &record.description);
        entry.add_text(fields.body, &skill.words);
        for namespace in id.namespace().self_and_ancestors() {
            entry.add_text(fields.namespace, exact(namespace));
        }
        if let Some(publisher) = &skill.publisher {
            entry.add_text(fields.publisher, publisher);
        }
        entry.add_text(fields.visibility, skill.skill.visibility.as_str());
        entry.add_f64(fields.rating, record.rating);
        entry.add_u64(fields.rating_count, unsigned(record.rating_count));
        entry.add_u64(fields.installs, unsigned(record.install_count));
        entry.add_u64(fields.recent, unsigned(*recent));
        entry.add_u64(fields.updated, unsigned(skill.updated_at.micros()));
        Some(entry)
    }
}

/// Which segments are joined: small ones, and no large one for the sake of a few documents, or every change would rewrite
/// the whole index.
fn worth_joining<Id>(mut segments: Vec<(u32, Id)>) -> Vec<Id> {
    segments.retain(|(documents, _)| *documents < SMALL_SEGMENT);
    segments.sort_by_key(|(documents, _)| *documents);
    let mut below = 0;
    let mut count = 0;
    for (place, (documents, _)) in segments.iter().enumerate() {
        if place > 0 && *documents <= 4 * below && below + documents <= MOST_JOINED {
            count = place + 1;
        }
        below += documents;
    }
    segments.truncate(count);
    segments.into_iter().map(|(_, id)| id).collect()
}

/// A name as it is compared: lower case, `_` and `.` as `-`.
pub(super) fn exact(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_large_segment_is_joined_for_the_sake_of_a_few_documents() {
        let joined = |sizes: &[u32]| {
            worth_joining(sizes.iter().map(|size| (*size, *size)).collect()).into_iter().sum::<u32>()
        };
        assert_eq!(joined(&[2_361, 3_201, 4_438]), 10_000);
        assert_eq!(joined(&[40_000, 1]), 0);
        assert_eq!(joined(&[40_000, 1, 1]), 2);
        assert_eq!(joined(&[80_000, 5, 6]), 11);
        assert_eq!(joined(&[40_000, 40_000, 40_000]), 80_000);
        assert_eq!(joined(&[]), 0);
        assert_eq!(joined(&[7]), 0);
    }
}
