//! Ratings: one per user and skill, with exact sums beside the skill.

use skillery_core::Rating;
use skillery_core::api::{RatingsResponse, Review, ReviewAnswer};
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::comments::Viewer;
use super::{Db, Tx, accounts};
use crate::failure::Result;

const REVIEWS: &str = "SELECT u.name, r.tenths, r.review, r.at, r.user_id, h.reason, b.name, a.text, a.at, a.salt, h.by_registry \
    FROM ratings r JOIN users u ON u.id = r.user_id \
    LEFT JOIN hidden_reviews h ON h.skill = r.skill AND h.user_id = r.user_id \
    LEFT JOIN review_answers a ON a.skill = r.skill AND a.user_id = r.user_id LEFT JOIN users b ON b.id = a.author";

/// The average and count after a change.
#[derive(Debug, Clone, Copy)]
pub struct Sums {
    /// Mean; 0 when there are none.
    pub average: f64,
    /// Ratings.
    pub count: i64,
}

/// Sets the user's rating of a skill, in place of the one before. Where the words stay, so does their time: what was answered was
/// an answer to them.
pub async fn set(
    tx: &mut Tx,
    key: &str,
    user: &str,
    (before, rating): (Option<Rating>, Rating),
    review: &str,
) -> Result<Sums> {
    let now = tx.now.micros();
    sqlx::query(
        "INSERT INTO ratings (skill, user_id, tenths, review, at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (skill, user_id) DO UPDATE SET tenths = $3, review = $4, \
         at = CASE WHEN ratings.review = $4 AND ratings.review <> '' THEN ratings.at ELSE $5 END",
    )
    .bind(key.to_owned())
    .bind(user.to_owned())
    .bind(rating.tenths())
    .bind(review.to_owned())
    .bind(now)
    .execute(tx.connection())
    .await?;
    if let Some(before) = before {
        add(tx, key, before, -1).await?;
    }
    add(tx, key, rating, 1).await
}

/// Takes the user's rating back. None when there was none.
pub async fn remove(tx: &mut Tx, key: &str, user: &str) -> Result<Option<Sums>> {
    let Some((before, _)) = find(tx, key, user).await? else { return Ok(None) };
    sqlx::query("DELETE FROM ratings WHERE skill = $1 AND user_id = $2")
        .bind(key.to_owned())
        .bind(user.to_owned())
        .execute(tx.connection())
        .await?;
    add(tx, key, before, -1).await.map(Some)
}

/// The user's rating of a skill, and what was written with it.
pub async fn find(tx: &mut Tx, key: &str, user: &str) -> Result<Option<(Rating, String)>> {
    let query = sqlx::query_as("SELECT tenths, review FROM ratings WHERE skill = $1 AND user_id = $2");
    let found: Option<(i64, String)> =
        query.bind(key.to_owned()).bind(user.to_owned()).fetch_optional(tx.connection()).await?;
    Ok(found.and_then(|(tenths, review)| Some((Rating::from_tenths(tenths)?, review))))
}

/// The average and count as they are.
pub async fn sums(tx: &mut Tx, key: &str) -> Result<Sums> {
    let query = sqlx::query_as("SELECT rating_sum, rating_count FROM skills WHERE key = $1");
    let (sum, count): (i64, i64) = query.bind(key.to_owned()).fetch_one(tx.connection()).await?;
    Ok(Sums { average: Rating::average(sum, count), count })
}

async fn add(tx: &mut Tx, key: &str, rating: Rating, sign: i64) -> Result<Sums> {
    // The column's name comes from a number between 1 and 5.
    let text = format!(
        "UPDATE skills SET rating_sum = rating_sum + $2, rating_count = rating_count + $3, \
         stars_{stars} = stars_{stars} + $3 WHERE key = $1 RETURNING rating_sum, rating_count",
        stars = rating.stars(),
    );
    let (sum, count): (i64, i64) = sqlx::query_as(AssertSqlSafe(text))
        .bind(key.to_owned())
        .bind(sign * rating.tenths())
        .bind(sign)
        .fetch_one(tx.connection())
        .await?;
    Ok(Sums { average: Rating::average(sum, count), count })
}

/// One page of a skill's ratings, the newest first. What is hidden has its text for moderators and its author alone, and no answer
/// for anybody else.
/// It has at most so many characters, or one rating, beside the viewer's own.
pub async fn page(
    db: &Db,
    key: &str,
    viewer: &Viewer,
    (limit, offset): (i64, i64),
    characters: i64,
) -> Result<RatingsResponse> {
    let sums = sqlx::query(
        "SELECT rating_sum, rating_count, stars_1, stars_2, stars_3, stars_4, stars_5 FROM skills WHERE key = $1",
    )
    .bind(key.to_owned())
    .fetch_one(db.reader())
    .await?;
    let lengths: Vec<i64> = sqlx::query_scalar(
        "SELECT CAST(LENGTH(r.review) + COALESCE(LENGTH(a.text), 0) AS BIGINT) FROM ratings r \
         LEFT JOIN review_answers a ON a.skill = r.skill AND a.user_id = r.user_id \
         WHERE r.skill = $1 ORDER BY r.at DESC, r.user_id DESC LIMIT $2 OFFSET $3",
    )
    .bind(key.to_owned())
    .bind(limit)
    .bind(offset)
    .fetch_all(db.reader())
    .await?;
    let mut room = characters;
    let fits = lengths.iter().enumerate().take_while(|(place, length)| {
        room -= **length;
        *place == 0 || room >= 0
    });
    let limit = fits.count() as i64;
    let text = format!("{REVIEWS} WHERE r.skill = $1 ORDER BY r.at DESC, r.user_id DESC LIMIT $2 OFFSET $3");
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(key.to_owned())
        .bind(limit)
        .bind(offset)
        .fetch_all(db.reader())
        .await?;
    let histogram = (1..=5_usize)
        .map(|stars| Ok((stars.to_string(), sums.try_get::<i64, _>(stars + 1)?)))
        .collect::<Result<_>>()?;
    let reviews = rows.iter().map(|row| review(row, viewer)).collect::<Result<_>>()?;
    let (count, end) = (sums.try_get(1)?, offset + limit);
    let next = (limit > 0 && end < count).then(|| u64::try_from(end).ok()).flatten();
    let own = match viewer.user.as_str() {
        "" => None,
        user => of_user_id(db, key, viewer, user).await?,
    };
    let average = Rating::average(sums.try_get(0)?, count);
    Ok(RatingsResponse { average, count, histogram, reviews, next, own })
}

/// The rating of the user of this name, as the viewer sees it.
pub async fn of_user(db: &Db, key: &str, viewer: &Viewer, user: &str) -> Result<Option<Review>> {
    let Some(user) = accounts::user_by_name(db.reader(), user).await? else { return Ok(None) };
    of_user_id(db, key, viewer, &user.id).await
}

/// The rating of the user with this id, as the viewer sees it.
async fn of_user_id(db: &Db, key: &str, viewer: &Viewer, user: &str) -> Result<Option<Review>> {
    let text = format!("{REVIEWS} WHERE r.skill = $1 AND r.user_id = $2");
    let query = sqlx::query(AssertSqlSafe(text)).bind(key.to_owned()).bind(user.to_owned());
    query.fetch_optional(db.reader()).await?.map(|row| review(&row, viewer)).transpose()
}

fn review(row: &AnyRow, viewer: &Viewer) -> Result<Review> {
    let at = Time::from_micros(row.try_get(3)?);
    let reason: Option<String> = row.try_get(5)?;
    let sees = reason.is_none() || viewer.is_moderator || viewer.user == row.try_get::<&str, _>(4)?;
    let answer = match row.try_get::<Option<String>, _>(6)? {
        Some(author) if sees => {
            let answered_at = Time::from_micros(row.try_get(8)?);
            let (text, salt) = (row.try_get(7)?, row.try_get(9)?);
            Some(ReviewAnswer { author, text, at: answered_at, outdated: answered_at < at, salt })
        }
        _ => None,
    };
    Ok(Review {
        author: row.try_get(0)?,
        rating: row.try_get::<i64, _>(1)? as f64 / 10.0,
        text: if sees { row.try_get(2)? } else { String::new() },
        created_at: at.to_string(),
        hidden: reason.is_some(),
        hidden_reason: reason.filter(|_| sees),
        hidden_by_registry: sees && row.try_get::<Option<i64>, _>(10)?.is_some_and(|by| by != 0),
        answer,
    })
}

/// What the user wrote with a rating of the skill, if there is one.
pub async fn text(tx: &mut Tx, key: &str, user: &str) -> Result<Option<String>> {
    let query = sqlx::query_scalar("SELECT review FROM ratings WHERE skill = $1 AND user_id = $2");
    Ok(query.bind(key.to_owned()).bind(user.to_owned()).fetch_optional(tx.connection()).await?)
}
