package stock

// CommonWords returns the words of a that are also in b, each once, in the order of a.
func CommonWords(a, b []string) []string {
	var common []string
	for _, word := range a {
		found := false
		for _, other := range b {
			if word == other {
				found = true
			}
		}
		known := false
		for _, other := range common {
			if word == other {
				known = true
			}
		}
		if found && !known {
			common = append(common, word)
		}
	}
	return common
}
