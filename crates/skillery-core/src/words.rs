//! Closed lists of words: an enum whose variants are the same words in JSON, in texts and in the OpenAPI document.

// Words are `tt` and not `literal`: the macro that makes the OpenAPI document does not see into what a `literal` becomes.
macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:tt),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// All of them, lowest first.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word that stands for it everywhere.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    other => Err(format!(
                        "`{}` is none of {}",
                        other.escape_debug(),
                        [$(concat!("`", $word, "`")),*].join(", "),
                    )),
                }
            }
        }
    };
}

pub(crate) use word_enum;
