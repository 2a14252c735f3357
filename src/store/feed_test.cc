#include "store/feed.h"

#include <gtest/gtest.h>

#include "store/temporary_directory.h"

namespace weir::store {
namespace {

class FeedTest : public testing::Test {
 protected:
  FeedTest() {
    connection_ = *Connection::open(directory_.path() + "/x.db", OpenMode::create);
    EXPECT_TRUE(connection_.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"));
    feed_ = std::move(*Feed::attach(connection_, "feed", 2));
    insert_ = *connection_.prepare("INSERT OR IGNORE INTO t(id, name) SELECT * FROM feed");
  }

  int64_t number(std::string_view sql) { return connection_.query_int64(sql)->value_or(-1); }

  TemporaryDirectory directory_;
  std::unique_ptr<Feed> feed_;  // outlives the connection
  Connection connection_;
  Statement insert_;
};

TEST_F(FeedTest, RowsAreInsertedByOneStatement) {
  const auto give = [&](size_t rows, int64_t first) {
    feed_->set(rows, [first](size_t row, Feed::Row& cells) {
      cells.number(first + static_cast<int64_t>(row));
      cells.text(row % 2 == 0 ? std::string_view("an even one") : std::string_view());
    });
    return insert_.run().has_value();
  };
  ASSERT_TRUE(give(1'000, 1));
  EXPECT_EQ(connection_.changes(), 1'000);
  EXPECT_EQ(number("SELECT count(*) FROM t WHERE name='an even one'"), 500);
  EXPECT_EQ(number("SELECT sum(id) FROM t"), 500'500);
  ASSERT_TRUE(give(10, 995));
  EXPECT_EQ(connection_.changes(), 4) << "those that were there already";
  ASSERT_TRUE(give(0, 1));
  EXPECT_EQ(number("SELECT count(*) FROM t"), 1'004);
}

TEST_F(FeedTest, ATextThatIsTooBigIsAnError) {
  feed_->set(1, [](size_t, Feed::Row& cells) {
    static const std::string kText(1, 'x');
    cells.number(1);
    cells.text({kText.data(), size_t{1} << 31});  // refused before it is read
  });
  const auto done = insert_.run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::limit_exceeded);
}

TEST_F(FeedTest, HasABoundedNumberOfColumns) {
  EXPECT_FALSE(Feed::attach(connection_, "wide", Feed::kColumnsMax + 1));
  EXPECT_FALSE(Feed::attach(connection_, "none", 0));
}

}  // namespace
}  // namespace weir::store
