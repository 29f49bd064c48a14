// A page may outlive its session: then it asks to sign in again instead of failing silently.
(() => {
  const ask = window.fetch;
  window.fetch = async (...asked) => {
    const answer = await ask(...asked);
    if (answer.status === 401) location.assign("/sign-in");
    return answer;
  };
})();
