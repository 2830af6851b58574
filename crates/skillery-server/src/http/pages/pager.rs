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
    /// Whether the one before is the first page, wherever the one that ends here began.
    pub is_back_to_first: bool,
    /// Whether there are rows behind those that any page lists.
    pub is_cut: bool,
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
        let previous = (rows.offset > 0).then(|| rows.offset.saturating_sub(rows.limit));
        let next = next(rows.offset.saturating_add(rows.limit), total);
        self.to(rows.limit, previous, next)
    }

    /// The same of a page that ends at this row, where there was no room for more: the one behind begins there. The way back leads to
    /// the first page, as nobody knows where the one before began.
    pub fn ending_at(&self, end: usize, rows: Page, total: u64) -> Pager {
        let first = (rows.offset > 0).then_some(0);
        let pager = self.to(rows.limit, first, next(end, total));
        Pager { is_back_to_first: pager.previous.is_some(), ..pager }
    }

    /// By how many rows are before both pages. Where the one behind is further than is gone, the list ends without having told all.
    fn to(&self, limit: usize, previous: Option<usize>, next: Option<usize>) -> Pager {
        let near = next.filter(|next| *next <= self.most);
        // A page without rows leads nowhere.
        let is_cut = limit > 0 && next != near;
        Pager { is_cut, ..self.at("offset", limit, previous, near) }
    }

    /// By what stands under this name in the address: a number to go on from, an entry to go on before.
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
        let (previous, next) = (place(previous).map(address), place(next).map(address));
        Pager { previous, next, ..Pager::default() }
    }
}

impl Pager {
    /// Of a list of so many rows at this path; `query` is what else stands in the address.
    pub fn of(app: &App, path: &str, query: &[(&str, &str)], rows: Page, total: u64) -> Self {
        Pages::of(app, path, query).by_offset(rows, total)
    }
}

/// Where the page behind one that ends at this row begins, of so many rows in all.
fn next(end: usize, total: u64) -> Option<usize> {
    ((end as u64) < total).then_some(end)
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

/// The rows that are to be asked for where those before a page have to be known as well: its own, and as many before it.
pub fn with_before(asked: Page) -> Page {
    let offset = asked.offset.saturating_sub(asked.limit);
    Page { limit: asked.offset - offset + asked.limit, offset }
}

/// A page of a list, which ends where there is no more room: the next one begins there.
pub struct Fit {
    /// The places of the rows that the page has, in the list, or in the part of it that is known.
    pub rows: Range<usize>,
    /// Where the page before begins in the list.
    pub previous: Option<usize>,
    /// The same of the page behind.
    pub next: Option<usize>,
}

impl Fit {
    /// The page of this list that is asked for, with as many of its rows as so many bytes of HTML have room for.
    pub fn of<Row>(list: &[Row], asked: Page, room: usize, weight: impl Fn(&Row) -> usize) -> Self {
        let all = Page { limit: list.len(), offset: 0 };
        Self::of_part((list, all, list.len() as u64), asked, room, weight)
    }

    /// The same of a list of so many rows, of which these are known, as [`with_before`] asks for them.
    pub fn of_part<Row>(
        (part, known, total): (&[Row], Page, u64),
        asked: Page,
        room: usize,
        weight: impl Fn(&Row) -> usize,
    ) -> Self {
        let (before, behind) = part.split_at(asked.offset.saturating_sub(known.offset).min(part.len()));
        let end = before.len() + fitting_rows(behind.iter().take(asked.limit), room, &weight);
        // Those before that fit together end where this page begins.
        let back = fitting_rows(before.iter().rev().take(asked.limit), room, &weight);
        let next = known.offset + end;
        Self {
            rows: before.len()..end,
            previous: (asked.offset > 0).then(|| known.offset + before.len() - back),
            next: (!behind.is_empty() && (next as u64) < total).then_some(next),
        }
    }

    /// The same where the first page has less room than others. It may end before this page begins, though all that lies before would
    /// fit: the way back leads behind it then, and passes over no row. The known rows begin with the first of the list.
    pub fn behind(mut self, first: &Self) -> Self {
        if self.previous == Some(0) && first.rows.end < self.rows.start {
            self.previous = Some(first.rows.end);
        }
        self
    }

    /// Leaves of the known rows those that the page has.
    pub fn cut<Row>(&self, rows: &mut Vec<Row>) {
        rows.truncate(self.rows.end);
        rows.drain(..self.rows.start);
    }

    /// The way to the pages before and behind of this list, of so many rows at most.
    pub fn pager(&self, pages: &Pages<'_>, limit: usize) -> Pager {
        pages.to(limit, self.previous, self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another() {
        let pages = Pages { path: "/a", query: &[("q", "x y"), ("tags", "")], usual: 20, most: 100 };
        let told = |rows: (usize, usize), total| {
            let Pager { previous, next, .. } = pages.by_offset(Page { limit: rows.0, offset: rows.1 }, total);
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
        let is_cut = |limit, offset, total| pages.by_offset(Page { limit, offset }, total).is_cut;
        assert_eq!([is_cut(20, 100, 500), is_cut(20, 100, 121), is_cut(20, 81, 102)], [true; 3]);
        assert_eq!([is_cut(20, 100, 120), is_cut(20, 80, 500), is_cut(0, 100, 500)], [false; 3]);
        // There was no room for more rows, and the page before may have had none, either.
        let cut = |end, total| pages.ending_at(end, Page { limit: 20, offset: 40 }, total);
        let first = Some("/a?q=x+y".to_owned());
        let next = Some("/a?q=x+y&offset=43".to_owned());
        assert_eq!(cut(43, 44), Pager { previous: first, next, is_back_to_first: true, is_cut: false });
        assert_eq!([cut(43, 43).next, cut(101, 500).next], [None, None]);
        assert_eq!([cut(43, 43).is_cut, cut(101, 500).is_cut], [false, true]);
        let begin = pages.ending_at(3, Page { limit: 20, offset: 0 }, 3);
        assert_eq!(begin, Pager::default());
        let cursor = Pages { path: "/log", query: &[], usual: 50, most: 100 }.at("before", 50, None, Some(7));
        assert_eq!(cursor, Pager { next: Some("/log?before=7".to_owned()), ..Pager::default() });
    }

    #[test]
    fn pages_that_end_where_there_is_no_room_lose_no_row_on_any_way() {
        let list: Vec<usize> = (0..100).map(|row| 1 + row % 7).collect();
        for (limit, room) in [(1, 3), (5, 1_000), (20, 30), (20, 1), (100, 50), (200, 1_000)] {
            let fit = |offset: usize| {
                let asked = Page { limit, offset };
                let whole = Fit::of(&list, asked, room, |row| *row);
                let known = with_before(asked);
                let end = (known.offset + known.limit).min(list.len());
                let mut part = list[known.offset.min(end)..end].to_vec();
                let of_part = Fit::of_part((&part, known, 100), asked, room, |row| *row);
                assert_eq!((of_part.previous, of_part.next), (whole.previous, whole.next));
                of_part.cut(&mut part);
                assert_eq!(part, list[whole.rows.clone()]);
                whole
            };
            let (mut place, mut seen) = (Some(0), 0);
            while let Some(offset) = place {
                let page = fit(offset);
                assert_eq!(page.rows.start, seen);
                (seen, place) = (page.rows.end, page.next);
            }
            assert_eq!(seen, 100);
            // On the way back, each page reaches to where the one behind it begins, or further where there is room.
            let mut place = 99;
            while let Some(previous) = fit(place).previous {
                let page = fit(previous);
                assert!(previous < place && page.rows.end >= place, "{limit} {room}");
                place = previous;
            }
            assert_eq!(place, 0);
        }
        assert_eq!(fit_behind_the_end(), (Some(80), None));
    }

    #[test]
    fn the_way_back_passes_over_no_row_where_the_first_page_has_less_room() {
        let list: Vec<usize> = [6, 12, 6, 12, 1, 1, 1].repeat(5);
        for (limit, room, at_first) in [(20, 26, 13), (20, 26, 1), (20, 26, 26), (3, 26, 6), (20, 1_000, 7)] {
            let of = |offset: usize, room: usize| Fit::of(&list, Page { limit, offset }, room, |row| *row);
            let first = || of(0, at_first);
            let fit = |offset: usize| if offset == 0 { first() } else { of(offset, room).behind(&first()) };
            for from in 1..list.len() {
                let mut place = from;
                while let Some(previous) = fit(place).previous {
                    let page = fit(previous);
                    assert!(previous < place && page.rows.end >= place, "{limit} {room} {at_first}: {place}");
                    place = previous;
                }
                assert_eq!(place, 0);
            }
        }
    }

    fn fit_behind_the_end() -> (Option<usize>, Option<usize>) {
        let asked = Page { limit: 20, offset: 100 };
        let fit = Fit::of_part((&[1; 0], with_before(asked), 7), asked, 10, |row| *row);
        (fit.previous, fit.next)
    }
}
