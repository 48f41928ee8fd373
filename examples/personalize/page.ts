export const page = `<!doctype html>
<html>
  <head><title>Tea</title></head>
  <body>
    <h1 id="greeting">Welcome</h1>
    <ul>
      <li>Sencha <b data-usd="12">$12.00</b></li>
      <li>Gyokuro <b data-usd="30">$30.00</b></li>
    </ul>
  </body>
</html>
`;
