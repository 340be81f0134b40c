//! Small functions over stock lists.

/// The largest gap between neighbouring values; 0 for fewer than two.
pub fn widest_gap(values: &[i64]) -> i64 {
    values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widest_gap_of_neighbours() {
        assert_eq!(widest_gap(&[]), 0);
        assert_eq!(widest_gap(&[1, 4, 2]), 3);
    }
}
