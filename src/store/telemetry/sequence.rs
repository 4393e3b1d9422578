//! Which rows count. Pure: numbers in, numbers out.
//!
//! After a failed commit or sync the tail is written again into a fresh file with the same numbers. So two files can
//! hold the same numbers; the later file counts. Which of them a power cut leaves is then of no matter.

/// First and last number of a file.
pub type Extent = (u64, u64);

/// What counts of each file, in the order of the files: a row is ignored when any later file begins at or before it.
/// An empty file supersedes nothing: the tail may not have reached it before the power went.
pub fn visible(extents: &[Option<Extent>]) -> Vec<Option<Extent>> {
    let mut begun_later = u64::MAX;
    let mut counting: Vec<_> = extents
        .iter()
        .rev()
        .map(|extent| {
            let (first, last) = (*extent)?;
            let end = last.min(begun_later.saturating_sub(1));
            begun_later = begun_later.min(first);
            (first <= end).then_some((first, end))
        })
        .collect();
    counting.reverse();
    counting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_order_count_whole() {
        assert_eq!(visible(&[Some((1, 5)), Some((6, 9))]), [Some((1, 5)), Some((6, 9))]);
    }

    #[test]
    fn a_later_file_supersedes_the_tail_of_the_one_before() {
        assert_eq!(visible(&[Some((1, 9)), Some((6, 7))]), [Some((1, 5)), Some((6, 7))]);
    }

    #[test]
    fn the_last_of_several_attempts_counts_and_reaches_behind_those_between() {
        assert_eq!(visible(&[Some((1, 9)), Some((6, 9)), Some((4, 12))]), [Some((1, 3)), None, Some((4, 12))]);
    }

    #[test]
    fn an_empty_file_supersedes_nothing() {
        assert_eq!(visible(&[Some((1, 9)), None, None]), [Some((1, 9)), None, None]);
        assert_eq!(visible(&[]), []);
    }
}
