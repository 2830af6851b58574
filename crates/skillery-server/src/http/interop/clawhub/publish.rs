//! `POST /skills`
