//! Small functions over stock lists.

/// The largest gap between neighbouring values; 0 for fewer than two.
pub fn widest_gap(values: &[i64]) -> i64 {
    values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max().unwrap_or(0)
}

/// Whether two different places of `values` add up to `sum`.
pub fn has_pair_with_sum(values: &[i64], sum: i64) -> bool {
    for (i, first) in values.iter().enumerate() {
        for (j, second) in values.iter().enumerate() {
            if i != j && first + second == sum {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widest_gap_of_neighbours() {
        assert_eq!(widest_gap(&[]), 0);
        assert_eq!(widest_gap(&[1, 4, 2]), 3);
    }

    #[test]
    fn has_pair_with_sum_of_two_places() {
        assert!(has_pair_with_sum(&[4, 1, 3], 7));
        assert!(has_pair_with_sum(&[2, 2], 4));
        assert!(!has_pair_with_sum(&[2, 5], 4));
        assert!(!has_pair_with_sum(&[], 0));
    }

    #[test]
    fn has_pair_with_sum_in_a_long_list() {
        let values: Vec<i64> = (0..4000).map(|number| number * 2).collect();
        assert!(!has_pair_with_sum(&values, 7999));
    }
}
