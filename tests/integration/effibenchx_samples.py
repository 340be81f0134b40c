"""Problems of our own in the published shape of EffiBench-X."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

EVALUATOR = "def evaluate(output, expected):\n    return [int(x) for x in output.split()] == [int(x) for x in expected.split()]\n"
PAIR_STARTERS = {
    "python3": "class Solution:\n    def closest(self, values: List[int]) -> int:\n        ",
    "java": "class Solution {\n    public int closest(int[] values) {\n        \n    }\n}",
    "cpp": "class Solution {\npublic:\n    int closest(vector<int>& values) {\n        \n    }\n};",
    "golang": "func closest(values []int) int {\n    \n}",
    "rust": "impl Solution {\n    pub fn closest(values: Vec<i32>) -> i32 {\n        \n    }\n}",
}
PAIR_SLOW = {
    "python3": (
        "class Solution:\n    def closest(self, values: List[int]) -> int:\n        best = 10**9\n        for i in range(len(values)):\n"
        "            for j in range(i):\n                best = min(best, abs(values[i] - values[j]))\n        return best\n"
    ),
    "java": (
        "class Solution {\n    public int closest(int[] values) {\n        int best = 1000000000;\n"
        "        for (int i = 0; i < values.length; i++) {\n            for (int j = 0; j < i; j++) {\n"
        "                best = Math.min(best, Math.abs(values[i] - values[j]));\n            }\n        }\n        return best;\n    }\n}"
    ),
    "cpp": (
        "class Solution {\npublic:\n    int closest(vector<int>& values) {\n        int best = 1000000000;\n"
        "        for (size_t i = 0; i < values.size(); i++)\n            for (size_t j = 0; j < i; j++)\n"
        "                best = min(best, abs(values[i] - values[j]));\n        return best;\n    }\n};"
    ),
    "golang": (
        "func closest(values []int) int {\n\tbest := 1000000000\n\tfor i := range values {\n\t\tfor j := 0; j < i; j++ {\n"
        "\t\t\tgap := values[i] - values[j]\n\t\t\tif gap < 0 {\n\t\t\t\tgap = -gap\n\t\t\t}\n"
        "\t\t\tif gap < best {\n\t\t\t\tbest = gap\n\t\t\t}\n\t\t}\n\t}\n\treturn best\n}"
    ),
}
PAIR_FAST = {
    "python3": (
        "class Solution:\n    def closest(self, values: List[int]) -> int:\n        ordered = sorted(values)\n"
        "        return min(b - a for a, b in zip(ordered, ordered[1:]))\n"
    ),
    "java": (
        "class Solution {\n    public int closest(int[] values) {\n        int[] ordered = values.clone();\n        Arrays.sort(ordered);\n"
        "        int best = 1000000000;\n        for (int i = 1; i < ordered.length; i++) {\n"
        "            best = Math.min(best, ordered[i] - ordered[i - 1]);\n        }\n        return best;\n    }\n}"
    ),
    "cpp": (
        "class Solution {\npublic:\n    int closest(vector<int>& values) {\n        vector<int> ordered(values);\n"
        "        sort(ordered.begin(), ordered.end());\n        int best = 1000000000;\n"
        "        for (size_t i = 1; i < ordered.size(); i++) best = min(best, ordered[i] - ordered[i - 1]);\n        return best;\n    }\n};"
    ),
    "golang": (
        "func closest(values []int) int {\n\tordered := append([]int(nil), values...)\n\tsort.Ints(ordered)\n\tbest := 1000000000\n"
        "\tfor i := 1; i < len(ordered); i++ {\n\t\tif gap := ordered[i] - ordered[i-1]; gap < best {\n\t\t\tbest = gap\n\t\t}\n\t}\n"
        "\treturn best\n}"
    ),
}
PAIR_RUNNERS = {
    "python3": "==Code Submission==\n\nprint(Solution().closest([int(word) for word in sys.stdin.read().split()]))",
    "java": (
        "public class Main {\n    public static void main(String[] args) throws Exception {\n"
        "        BufferedReader reader = new BufferedReader(new InputStreamReader(System.in));\n"
        '        int[] values = Arrays.stream(reader.readLine().trim().split(" ")).mapToInt(Integer::parseInt).toArray();\n'
        "        System.out.println(new Solution().closest(values));\n    }\n}\n\n==Code Submission=="
    ),
    "cpp": (
        "==Code Submission==\n\nint main() {\n    vector<int> values;\n    for (int value; cin >> value;) values.push_back(value);\n"
        "    cout << Solution().closest(values) << endl;\n}"
    ),
    "golang": (
        "==Code Submission==\n\nfunc main() {\n\tvar values []int\n\treader := bufio.NewReader(os.Stdin)\n\tfor {\n\t\tvar value int\n"
        "\t\tif _, err := fmt.Fscan(reader, &value); err != nil {\n\t\t\tbreak\n\t\t}\n\t\tvalues = append(values, value)\n\t}\n"
        "\tfmt.Println(closest(values))\n}"
    ),
}
SUM = {
    "python3": "import sys\n\ndef main():\n    print(sum(map(int, sys.stdin.read().split())))\n\nmain()\n",
    "java": (
        "import java.util.*;\n\npublic class Adder {\n    public static void main(String[] args) {\n        Scanner in = new Scanner(System.in);\n"
        "        long total = 0;\n        while (in.hasNextLong()) total += in.nextLong();\n        System.out.println(total);\n    }\n}\n"
    ),
    "cpp": "#include <bits/stdc++.h>\nint main() {\n    long total = 0;\n    for (long x; std::cin >> x;) total += x;\n    std::cout << total;\n}\n",
    "golang": (
        'package main\n\nimport (\n\t"bufio"\n\t. "fmt"\n\t"os"\n)\n\nvar in = bufio.NewReader(os.Stdin)\n\nfunc main() {\n\ttotal, x := 0, 0\n'
        "\tfor {\n\t\tif _, err := Fscan(in, &x); err != nil {\n\t\t\tbreak\n\t\t}\n\t\ttotal += x\n\t}\n\tPrintln(total)\n}\n"
    ),
}


def pair(solutions: dict[str, str] | None = None, *, sizes: tuple[int, ...] = (2, 5, 400)) -> dict[str, Any]:
    """A functional problem: the smallest difference between two of the values."""
    tests = []
    for size in sizes:
        values = [(number * 7919 + size) % 100_003 for number in range(size)]
        ordered = sorted(values)
        answer = min(b - a for a, b in itertools.pairwise(ordered))
        tests.append({"input": " ".join(map(str, values)) + "\n", "output": str(answer)})
    return {
        "id": "2",
        "title": "Closest pair of values",
        "title_slug": "closest-pair",
        "description_md": "Return the smallest absolute difference between two of the values.",
        "difficulty": "easy",
        "tags": ["Array", "Sorting", "Two Pointers"],
        "source": "leetcode",
        "type": "functional",
        "time_limit_nanos": 1_000_000_000,
        "memory_limit_bytes": 268_435_456,
        "starter_code": PAIR_STARTERS,
        "solutions": {name: {"code": code, "runtime": "x"} for name, code in (solutions or PAIR_SLOW).items()}
        | {"ruby": None},
        "test_case_generator": "def generate_test_cases(num_cases, seed=42):\n    return []\n",
        "evaluator": EVALUATOR,
        "generated_tests": json.dumps(tests),
        "test_runners": PAIR_RUNNERS,
    }


def total(solutions: dict[str, str] | None = None) -> dict[str, Any]:
    """A problem that asks for a whole program."""
    tests = [{"input": f"{number} {number * 3}\r\n-5", "output": f"{number * 4 - 5}"} for number in range(12)]
    return {
        "id": 10,
        "title": "Add Up",
        "description_md": "Print the sum of all integers of the input.",
        "tags": ["Math"],
        "source": "aizu",
        "type": "io",
        "starter_code": None,
        "solutions": {name: {"code": code} for name, code in (solutions or SUM).items()},
        "evaluator": EVALUATOR,
        "generated_tests": json.dumps(tests),
        "test_runners": None,
    }


def stack() -> dict[str, Any]:
    """A functional problem that asks for a class of several methods."""
    row = pair() | {"id": "155", "title_slug": "min-stack", "source": "leetcode"}
    code = "class Stack:\n    def __init__(self):\n        self.s = []\n\n    def push(self, x: int) -> None:\n        self.s.append(x)\n"
    row["starter_code"] = {
        "python3": "class Stack:\n    def __init__(self):\n        \n    def push(self, x: int) -> None:\n        "
    }
    row["solutions"] = {"python3": {"code": code}}
    row["test_runners"] = {
        "python3": "==Code Submission==\n\ns = Stack()\nfor word in sys.stdin.read().split():\n    s.push(int(word))\n"
        "print(min(abs(a - b) for i, a in enumerate(s.s) for b in s.s[:i]))"
    }
    return row


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    """One file a problem, named as the suite does."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        slug = row.get("title_slug") or row["title"].lower().replace(" ", "-")
        (folder / f"{row['source']}_{row['id']}_{slug}.json").write_text(json.dumps(row))
    return folder
