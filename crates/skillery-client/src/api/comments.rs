//! What people say of skills: comments, answers to reviews, reports, and what moderators do.

use reqwest::Method;
use skillery_core::api::{
    AnswerReviewRequest, Comment, CommentRequest, CommentTextsResponse, CommentsResponse, EditCommentRequest,
    HideRequest, Report, ReportRequest, ReportsResponse, ResolveRequest, ReviewAnswer,
};
use skillery_core::{Namespace, SkillId};

use crate::api::{MOST_PAGES, Page, all};
use crate::client::{Call, Client};
use crate::error::Result;

/// Comments in one answer, at most.
const COMMENTS: u64 = 50;
/// Reports in one answer, at most.
const REPORTS: u64 = 200;

impl Client {
    /// `GET /skills/{id}/comments`: one page of threads, or of the answers to a comment.
    pub async fn comments(&self, id: &SkillId, parent: Option<&str>, page: Page) -> Result<CommentsResponse> {
        self.json(page.add_to(of(Method::GET, id, &[]).query("parent", parent))).await
    }

    /// As [`Client::comments`], however many rows are wanted: pages end early where comments are long.
    pub async fn comments_many(
        &self,
        id: &SkillId,
        parent: Option<&str>,
        wanted: Page,
    ) -> Result<Vec<Comment>> {
        all(&mut MOST_PAGES.clone(), wanted, COMMENTS, |page| async move {
            let found = self.comments(id, parent, page).await?;
            Ok((found.comments, found.next.is_some()))
        })
        .await
    }

    /// All comments on a skill that the caller sees: each thread, and its answers behind it.
    pub async fn all_comments(&self, id: &SkillId) -> Result<Vec<Comment>> {
        let mut left = MOST_PAGES;
        let threads = all(&mut left, Page::default(), COMMENTS, |page| async move {
            let found = self.comments(id, None, page).await?;
            Ok((found.comments, found.next.is_some()))
        });
        let mut comments = Vec::new();
        for mut thread in threads.await? {
            let mut replies = std::mem::take(&mut thread.replies);
            if thread.reply_count > replies.len() as u64 && left > 0 {
                let parent = Some(thread.id.as_str());
                let rest = all(&mut left, Page::default(), COMMENTS, |page| async move {
                    let found = self.comments(id, parent, page).await?;
                    Ok((found.comments, found.next.is_some()))
                });
                replies = rest.await?;
            }
            comments.push(thread);
            comments.extend(replies);
        }
        Ok(comments)
    }

    /// `POST /skills/{id}/comments`: says something, or answers a comment.
    pub async fn comment(&self, id: &SkillId, text: &str, parent: Option<&str>) -> Result<Comment> {
        self.need_token("commenting")?;
        let body = CommentRequest { text: text.to_owned(), parent: parent.map(str::to_owned) };
        self.json(of(Method::POST, id, &[]).body(&body)?).await
    }

    /// `PATCH /skills/{id}/comments/{comment}`: lets a comment of the caller say something else.
    pub async fn edit_comment(&self, id: &SkillId, comment: &str, text: &str) -> Result<Comment> {
        let body = EditCommentRequest { text: text.to_owned() };
        self.json(of(Method::PATCH, id, &[comment]).body(&body)?.repeatable()).await
    }

    /// `DELETE /skills/{id}/comments/{comment}`: takes a comment of the caller back.
    pub async fn delete_comment(&self, id: &SkillId, comment: &str) -> Result<()> {
        self.empty(of(Method::DELETE, id, &[comment])).await
    }

    /// `PUT /skills/{id}/comments/{comment}/hidden`: hides a comment.
    pub async fn hide_comment(&self, id: &SkillId, comment: &str, reason: &str) -> Result<Comment> {
        let body = HideRequest { reason: reason.to_owned() };
        self.json(of(Method::PUT, id, &[comment, "hidden"]).body(&body)?.repeatable()).await
    }

    /// `DELETE /skills/{id}/comments/{comment}/hidden`: shows a comment again.
    pub async fn unhide_comment(&self, id: &SkillId, comment: &str) -> Result<()> {
        self.empty(of(Method::DELETE, id, &[comment, "hidden"])).await
    }

    /// `GET /skills/{id}/comments/{comment}/texts`: what a comment said before it was edited.
    pub async fn comment_texts(&self, id: &SkillId, comment: &str) -> Result<CommentTextsResponse> {
        self.json(of(Method::GET, id, &[comment, "texts"])).await
    }

    /// `PUT /skills/{id}/ratings/{user}/answer`: answers a review.
    pub async fn answer_review(&self, id: &SkillId, reviewer: &str, text: &str) -> Result<ReviewAnswer> {
        self.need_token("answering a review")?;
        let body = AnswerReviewRequest { text: text.to_owned() };
        self.json(review(Method::PUT, id, reviewer, "answer").body(&body)?.repeatable()).await
    }

    /// `DELETE /skills/{id}/ratings/{user}/answer`: takes an answer back.
    pub async fn remove_review_answer(&self, id: &SkillId, reviewer: &str) -> Result<()> {
        self.empty(review(Method::DELETE, id, reviewer, "answer")).await
    }

    /// `PUT /skills/{id}/ratings/{user}/hidden`: hides the text of a review.
    pub async fn hide_review(&self, id: &SkillId, reviewer: &str, reason: &str) -> Result<()> {
        let body = HideRequest { reason: reason.to_owned() };
        self.empty(review(Method::PUT, id, reviewer, "hidden").body(&body)?.repeatable()).await
    }

    /// `DELETE /skills/{id}/ratings/{user}/hidden`: shows the text of a review again.
    pub async fn unhide_review(&self, id: &SkillId, reviewer: &str) -> Result<()> {
        self.empty(review(Method::DELETE, id, reviewer, "hidden")).await
    }

    /// `POST /reports`: reports something to moderators.
    pub async fn report_abuse(&self, report: &ReportRequest) -> Result<()> {
        self.need_token("reporting")?;
        self.empty(Call::post(&["reports"]).body(report)?).await
    }

    /// `GET /reports`: one page of what is the caller's to decide about.
    pub async fn reports(
        &self,
        namespace: Option<&Namespace>,
        resolved: bool,
        page: Page,
    ) -> Result<ReportsResponse> {
        let state = if resolved { "resolved" } else { "open" };
        let call = Call::get(&["reports"]).query("state", Some(state)).query("namespace", namespace);
        self.json(page.add_to(call)).await
    }

    /// As [`Client::reports`], however many rows are wanted.
    pub async fn reports_many(
        &self,
        namespace: Option<&Namespace>,
        resolved: bool,
        wanted: Page,
    ) -> Result<Vec<Report>> {
        all(&mut MOST_PAGES.clone(), wanted, REPORTS, |page| async move {
            let found = self.reports(namespace, resolved, page).await?;
            let is_more = page.has_more(&found.reports, found.total);
            Ok((found.reports, is_more))
        })
        .await
    }

    /// `PUT /reports/{report}`: says what was done about a report.
    pub async fn resolve_report(&self, report: &str, resolution: &str) -> Result<()> {
        let body = ResolveRequest { resolution: resolution.to_owned() };
        // The second time it is resolved already.
        self.empty(Call::put(&["reports", report]).body(&body)?.once()).await
    }

    /// `POST /reports/{report}/reopen`: opens a report again.
    pub async fn reopen_report(&self, report: &str) -> Result<()> {
        self.empty(Call::post(&["reports", report, "reopen"])).await
    }
}

fn of(method: Method, id: &SkillId, rest: &[&str]) -> Call {
    Call::of_skill(method, id, &[&["comments"], rest].concat())
}

fn review(method: Method, id: &SkillId, reviewer: &str, what: &str) -> Call {
    Call::of_skill(method, id, &["ratings", reviewer, what])
}
