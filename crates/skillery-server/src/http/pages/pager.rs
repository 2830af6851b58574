//! Going from one page of a list to the next, and how much of it a page has room for.

use std::ops::Range;

use super::place;
use crate::app::App;
use crate::http::call::Page;

/// Where the pages before and behind are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pager {
    /// The one before.
    pub previous: Option<String>,
    /// The one behind.
    pub next: Option<String>,
}

/// A list at an address.
#[derive(Debug, Clone, Copy)]
pub struct Pages<'list> {
    path: &'list str,
    /// What else stands in the address; what is empty is left out.
    query: &'list [(&'list str, &'list str)],
    /// Rows of a page for which the address says no number.
    usual: usize,
    /// The furthest that is gone to.
    most: usize,
}

impl<'list> Pages<'list> {
    /// Of a list at this path.
    pub fn of(app: &App, path: &'list str, query: &'list [(&'list str, &'list str)]) -> Self {
        let limits = &app.settings.limits;
        Self { path, query, usual: limits.default_page_rows, most: limits.page_offset }
    }

    /// The same of a list whose pages have no more rows than so many.
    pub fn at_most(self, rows: usize) -> Self {
        Self { usual: self.usual.min(rows), ..self }
    }

    /// The same of a list whose pages have so many rows where the address says nothing.
    pub fn usually(self, rows: usize) -> Self {
        Self { usual: rows, ..self }
    }

    /// By how many rows are before a page, of so many in all.
    pub fn by_offset(&self, rows: Page, total: u64) -> Pager {
        self.up_to(rows.offset.saturating_add(rows.limit), rows, total)
    }

    /// The same of a page that has no row from this one on, as there is no more room.
    pub fn up_to(&self, end: usize, rows: Page, total: u64) -> Pager {
        let has_next = (end as u64) < total && end <= self.most;
        let previous = (rows.offset > 0).then(|| rows.offset.saturating_sub(rows.limit));
        self.at("offset", rows.limit, previous, has_next.then_some(end))
    }

    /// By what stands under this name in the address: a number to go on from, an entry to go on before. Lists whose pages end
    /// where there is enough on them lead to the first page, as nobody knows where the one before began.
    pub fn at<Place: ToString>(
        &self,
        name: &str,
        limit: usize,
        previous: Option<Place>,
        next: Option<Place>,
    ) -> Pager {
        // A page without rows is the same wherever it is.
        let place = |place: Option<Place>| place.filter(|_| limit > 0);
        let limit_text = if limit == self.usual { String::new() } else { limit.to_string() };
        let address = |place: Place| {
            let place = place.to_string();
            let own = [(name, place.as_str()), ("limit", limit_text.as_str())];
            // The first page has nothing in its address that says so.
            let own = own.into_iter().filter(|(_, value)| *value != "0");
            place::address(self.path, self.query.iter().copied().chain(own))
        };
        Pager { previous: place(previous).map(address), next: place(next).map(address) }
    }
}

impl Pager {
    /// Of a list of so many rows at this path; `query` is what else stands in the address.
    pub fn of(app: &App, path: &str, query: &[(&str, &str)], rows: Page, total: u64) -> Self {
        Pages::of(app, path, query).by_offset(rows, total)
    }
}

/// The first page.
pub fn first(app: &App) -> Page {
    Page { limit: app.settings.limits.default_page_rows, offset: 0 }
}

/// How many of these rows, from the first on, so many bytes of HTML have room for: one at least, where there is one. `weight` is what a
/// row takes, in bytes of HTML, at most nearly.
pub fn fitting_rows<'list, Row: 'list>(
    rows: impl Iterator<Item = &'list Row>,
    room: usize,
    weight: impl Fn(&Row) -> usize,
) -> usize {
    let mut left = room;
    let fits = rows.enumerate().take_while(|&(place, row)| {
        let rest = left.checked_sub(weight(row));
        left = rest.unwrap_or(0);
        rest.is_some() || place == 0
    });
    fits.count()
}

/// A page of a list, which ends where there is no more room: the next one begins there.
pub struct Fit {
    /// The places in the list of the rows that the page has.
    pub rows: Range<usize>,
    previous: Option<usize>,
    next: Option<usize>,
}

impl Fit {
    /// The page of this list that is asked for, with as many of its rows as so many bytes of HTML have room for.
    pub fn of<Row>(list: &[Row], asked: Page, room: usize, weight: impl Fn(&Row) -> usize) -> Self {
        let (before, behind) = list.split_at(asked.offset.min(list.len()));
        let end = before.len() + fitting_rows(behind.iter().take(asked.limit), room, &weight);
        // Those before that fit together end where this page begins.
        let back = fitting_rows(before.iter().rev().take(asked.limit), room, &weight);
        Self {
            rows: before.len()..end,
            previous: (asked.offset > 0).then(|| before.len() - back),
            next: (end < list.len()).then_some(end),
        }
    }

    /// The way to the pages before and behind of a list at this path, of so many rows at most; `query` is what else stands in the
    /// address.
    pub fn pager(&self, app: &App, path: &str, query: &[(&str, &str)], limit: usize) -> Pager {
        let next = self.next.filter(|next| *next <= app.settings.limits.page_offset);
        Pages::of(app, path, query).at("offset", limit, self.previous, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another() {
        let pages = Pages { path: "/a", query: &[("q", "x y"), ("tags", "")], usual: 20, most: 100 };
        let told = |rows: (usize, usize), total| {
            let Pager { previous, next } = pages.by_offset(Page { limit: rows.0, offset: rows.1 }, total);
            (previous.unwrap_or_default(), next.unwrap_or_default())
        };
        let both = |previous: &str, next: &str| (previous.to_owned(), next.to_owned());
        assert_eq!(told((20, 0), 20), both("", ""));
        assert_eq!(told((20, 0), 21), both("", "/a?q=x+y&offset=20"));
        assert_eq!(told((20, 20), 41), both("/a?q=x+y", "/a?q=x+y&offset=40"));
        assert_eq!(told((5, 10), 20), both("/a?q=x+y&offset=5&limit=5", "/a?q=x+y&offset=15&limit=5"));
        assert_eq!(told((20, 7), 7), both("/a?q=x+y", ""));
        // Nobody goes in a circle, and nobody further than is answered.
        assert_eq!(told((0, 3), 20), both("", ""));
        assert_eq!(told((20, 100), 500).1, "");
        let cursor = Pages { path: "/log", query: &[], usual: 50, most: 100 }.at("before", 50, None, Some(7));
        assert_eq!(cursor, Pager { previous: None, next: Some("/log?before=7".to_owned()) });
    }
}
