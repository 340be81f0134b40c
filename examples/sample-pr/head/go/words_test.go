package stock

import (
	"reflect"
	"strconv"
	"testing"
)

func TestCommonWords(t *testing.T) {
	got := CommonWords([]string{"b", "a", "b", "c"}, []string{"c", "b", "x"})
	if want := []string{"b", "c"}; !reflect.DeepEqual(got, want) {
		t.Errorf("CommonWords = %v, want %v", got, want)
	}
	if got := CommonWords(nil, []string{"a"}); got != nil {
		t.Errorf("CommonWords of nothing = %v, want nil", got)
	}
}

func TestCommonWordsOfLongLists(t *testing.T) {
	var a, b []string
	for i := 0; i < 1500; i++ {
		a = append(a, "word"+strconv.Itoa(i*7%1500))
		b = append(b, "word"+strconv.Itoa(i*2))
	}
	if got := len(CommonWords(a, b)); got != 750 {
		t.Errorf("%d common words, want 750", got)
	}
}
