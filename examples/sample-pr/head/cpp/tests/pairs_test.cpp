#include <cstdio>
#include <cstdlib>
#include <vector>

#include "pairs.hpp"

namespace {

void expect(std::size_t expected, std::size_t actual) {
    if (expected != actual) {
        std::fprintf(stderr, "expected %zu pairs but found %zu\n", expected, actual);
        std::exit(1);
    }
}

}  // namespace

int main() {
    expect(0, stock::count_pairs({}, 3));
    expect(5, stock::count_pairs({1, 2, 1, 2, 5, -2}, 3));
    std::vector<int> values;
    for (int number = 0; number < 6000; ++number) {
        values.push_back(number * 7919 % 10007);
    }
    expect(996, stock::count_pairs(values, 10007));
    return 0;
}
